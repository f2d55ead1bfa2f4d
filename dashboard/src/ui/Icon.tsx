import type { Status } from "../live/statuses";

const PATHS = {
  check: "M4.5 12.5l5 5 10-11",
  clock: "M12 7v5.5l3.5 2M12 21a9 9 0 100-18 9 9 0 000 18z",
  half: "M12 3a9 9 0 010 18zM12 21a9 9 0 110-18",
  home: "M4 11l8-7 8 7v8.5a.5.5 0 01-.5.5H15v-6H9v6H4.5a.5.5 0 01-.5-.5z",
  leave: "M12 12v6.5a2.5 2.5 0 01-5 0M3 12a9 9 0 0118 0zM12 3V2",
  cross: "M6 6l12 12M18 6L6 18",
  dashed: "M8.2 3.8l1.6-.5M14.2 3.3l1.6.5M19.4 7l.9 1.5M20.7 14l-.5 1.6M17.5 19.2l-1.3 1M12.8 21h-1.6M7.8 20.2l-1.3-1M3.8 15.6L3.3 14M3.7 8.5L4.6 7",
  search: "M10.5 17a6.5 6.5 0 100-13 6.5 6.5 0 000 13zM15.5 15.5L20 20",
  left: "M14.5 5.5L8 12l6.5 6.5",
  right: "M9.5 5.5L16 12l-6.5 6.5",
  lock: "M7 11V8a5 5 0 0110 0v3M6 11h12a1 1 0 011 1v7a1 1 0 01-1 1H6a1 1 0 01-1-1v-7a1 1 0 011-1z",
  unlock: "M7 11V8a5 5 0 019.6-2M6 11h12a1 1 0 011 1v7a1 1 0 01-1 1H6a1 1 0 01-1-1v-7a1 1 0 011-1z",
  note: "M5 4h14v11l-5 5H5zM14 20v-5h5M8.5 9h7M8.5 13h3",
  history: "M4 5v4.5h4.5M4.6 9.5A8 8 0 114 13M12 8v4.5l3 1.8",
  undo: "M8.5 5L4 9.5 8.5 14M4 9.5h10a5.5 5.5 0 010 11h-3",
  sun: "M12 16.5a4.5 4.5 0 100-9 4.5 4.5 0 000 9zM12 2v2M12 20v2M2 12h2M20 12h2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4",
  moon: "M20 14.5A8.5 8.5 0 019.5 4a8.5 8.5 0 1010.5 10.5z",
  auto: "M12 3a9 9 0 010 18zM12 21a9 9 0 110-18M12 6a6 6 0 000 12z",
  menu: "M4 7h16M4 12h16M4 17h16",
  plus: "M12 5v14M5 12h14",
  help: "M9 9.2a3 3 0 115 2.3c-1.2.9-2 1.5-2 2.8M12 17.8v.2M12 21a9 9 0 100-18 9 9 0 000 18z",
  settings: "M4 7h8M16 7h4M4 17h4M12 17h8M14 9.5a2.5 2.5 0 100-5 2.5 2.5 0 000 5zM10 19.5a2.5 2.5 0 100-5 2.5 2.5 0 000 5z",
  upload: "M12 16V4.5M7 9l5-5 5 5M4 16v3.5h16V16",
  edit: "M4 20l1-4.5L16.5 4 20 7.5 8.5 19z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
      {name === "half" && <path d="M12 3a9 9 0 010 18z" fill="currentColor" stroke="none" />}
    </svg>
  );
}

const BY_STATUS: Record<Status, IconName> = {
  PRESENT: "check",
  LATE: "clock",
  HALF_DAY: "half",
  REMOTE: "home",
  ON_LEAVE: "leave",
  ABSENT: "cross",
  UNMARKED: "dashed",
};

export function StatusIcon({ status, size = 16 }: { status: Status; size?: number }) {
  return <Icon name={BY_STATUS[status]} size={size} />;
}
