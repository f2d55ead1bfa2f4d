"""The real servers that the tests run against: found on this machine, or taken from wheels; never faked."""
