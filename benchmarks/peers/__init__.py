"""The servers that memberstaff is compared with: small, and written as their own guides write them."""
