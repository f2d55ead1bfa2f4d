import { afterEach, expect, test, vi } from "vitest";

import { expiry } from "./session";

const EXPIRES = "2026-11-23T08:15:00Z";

function token(claims: object): string {
  return `h.${btoa(JSON.stringify(claims))}.s`;
}

afterEach(() => void vi.useRealTimers());

test("a token is valid for as long as it says, whatever the year on this machine", () => {
  const issued = Date.parse("2026-11-23T08:00:00Z") / 1_000;
  for (const now of ["1970-01-01T00:00:00Z", "2026-11-23T08:00:00Z", "2037-01-01T00:00:00Z"]) {
    vi.useFakeTimers({ now: Date.parse(now) });
    expect(expiry(token({ iat: issued, exp: issued + 900 }), EXPIRES)).toBe(Date.parse(now) + 900_000);
  }
});

test("a token that does not say is valid until `expiresAt`", () => {
  expect(expiry("opaque", EXPIRES)).toBe(Date.parse(EXPIRES));
  expect(expiry(token({ exp: 1 }), EXPIRES)).toBe(Date.parse(EXPIRES));
});
