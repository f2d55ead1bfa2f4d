import { expect, test, vi } from "vitest";

import { backOff, type Browser, loadOrReload, PageLoadError } from "./reload";

const MINUTE = 60_000;

/** A tab: its storage survives reloads, which are counted. */
function tab({ up = true } = {}) {
  const stored = new Map<string, string>();
  const reload = vi.fn();
  const browser: Browser = {
    storage: () => ({
      getItem: (key) => stored.get(key) ?? null,
      setItem: (key, value) => void stored.set(key, value),
      removeItem: (key) => void stored.delete(key),
    }),
    isServerUp: () => Promise.resolve(up),
    reload,
  };
  return { browser, reload, stored };
}

function blocked(): never {
  throw new DOMException("Storage is blocked", "SecurityError");
}

const works = () => Promise.resolve("the page");
const fails = () => Promise.reject(new TypeError("Failed to fetch dynamically imported module"));

/** Load a page that fails, and see the reload; the load itself must stay pending, as the document is about to go. */
async function failsAndReloads({ browser, reload }: ReturnType<typeof tab>, name = "summary"): Promise<void> {
  const before = reload.mock.calls.length;
  const settled = vi.fn();
  void loadOrReload(name, fails, browser).then(settled, settled);
  await new Promise((resolve) => setTimeout(resolve));
  expect(reload).toHaveBeenCalledTimes(before + 1);
  expect(settled).not.toHaveBeenCalled();
}

test("a page whose code loads is shown without a reload", async () => {
  const { browser, reload, stored } = tab();
  expect(await loadOrReload("summary", works, browser)).toBe("the page");
  expect(reload).not.toHaveBeenCalled();
  expect(stored.size).toBe(0);
});

test("after a failed import the tab is reloaded once, however often the import fails", async () => {
  const it = tab();
  await failsAndReloads(it);
  for (let visit = 0; visit < 3; visit++) {
    await expect(loadOrReload("summary", fails, it.browser)).rejects.toThrow(PageLoadError);
  }
  expect(it.reload).toHaveBeenCalledTimes(1);
});

test("a page that has loaded may be reloaded again after the next upgrade", async () => {
  const it = tab();
  await failsAndReloads(it);
  await loadOrReload("summary", works, it.browser);
  await failsAndReloads(it);
  expect(it.reload).toHaveBeenCalledTimes(2);
});

test("each page has a reload of its own", async () => {
  const it = tab();
  await failsAndReloads(it, "summary");
  await failsAndReloads(it, "staff");
  await expect(loadOrReload("summary", fails, it.browser)).rejects.toThrow(PageLoadError);
});

test("while the server is away there is no reload, and it is not used up", async () => {
  const away = tab({ up: false });
  await expect(loadOrReload("summary", fails, away.browser)).rejects.toThrow(PageLoadError);
  expect(away.reload).not.toHaveBeenCalled();
  expect(away.stored.size).toBe(0);
});

test("where nothing can be stored there is no reload, and pages load all the same", async () => {
  const { browser, reload } = tab();
  const full = { ...browser.storage(), setItem: blocked };
  const deaf = { ...browser.storage(), setItem: () => undefined };
  for (const storage of [blocked, () => full, () => deaf]) {
    await expect(loadOrReload("summary", fails, { ...browser, storage })).rejects.toThrow(PageLoadError);
  }
  expect(await loadOrReload("summary", works, { ...browser, storage: blocked })).toBe("the page");
  expect(reload).not.toHaveBeenCalled();
});

test("a wall display waits longer after each failure in a row, up to ten minutes", () => {
  const { browser } = tab();
  let now = Date.parse("2026-11-23T08:00:00Z");
  const waits = Array.from({ length: 9 }, () => {
    const wait = backOff(now, browser);
    now += wait;
    return wait / 1_000;
  });
  expect(waits).toEqual([10, 20, 40, 80, 160, 320, 600, 600, 600]);
  expect(backOff(now + 61 * MINUTE, browser)).toBe(10_000);
});

test("a wall display that can store nothing waits ten minutes each time", () => {
  const { browser } = tab();
  const full = { ...browser.storage(), setItem: blocked };
  for (const storage of [blocked, () => full]) {
    expect([backOff(0, { ...browser, storage }), backOff(1, { ...browser, storage })]).toEqual([600_000, 600_000]);
  }
});
