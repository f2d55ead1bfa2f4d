export type Maybe<T> = T | null;
export type InputMaybe<T> = Maybe<T>;
/** All built-in and custom scalars, mapped to their actual values */
export type Scalars = {
  ID: { input: string; output: string; }
  String: { input: string; output: string; }
  Boolean: { input: boolean; output: boolean; }
  Int: { input: number; output: number; }
  Float: { input: number; output: number; }
  /** A calendar date, YYYY-MM-DD (`full-date` of RFC 3339), in the organisation's time zone. */
  Date: { input: string; output: string; }
  /** An instant (`date-time` of RFC 3339). The server sends it in UTC, with milliseconds and a Z: 2026-01-15T08:30:00.000Z. It accepts any offset, and up to nine decimal places. */
  DateTime: { input: string; output: string; }
  /** The URL of an image, up to 2,048 characters: https, http, or a path on this server that starts with one slash. A mutation refuses anything else as INVALID, and takes a blank string as null. */
  URL: { input: string; output: string; }
};

/** An account to log in with. Visible to ADMINs only. Not live: ask again after a change, your own or another ADMIN's. Your own is the one whose id is the `accountId` of the viewer. */
export type Account = Node & {
  __typename?: 'Account';
  /** When it was created or first used. */
  createdAt: Scalars['DateTime']['output'];
  /** Shown next to the marks made by this account. */
  displayName: Scalars['String']['output'];
  /** Null for an account of an identity provider. */
  email?: Maybe<Scalars['String']['output']>;
  /** Opaque, and unique across all types. */
  id: Scalars['ID']['output'];
  /** Whether logging in is disabled. */
  isDisabled: Scalars['Boolean']['output'];
  /** The identity provider; null for accounts with a password. */
  issuer?: Maybe<Scalars['String']['output']>;
  /** What the account may do; null for a role of a later release, which gives no rights here. */
  role?: Maybe<Role>;
};

/** A page of accounts. Not live: ask again after a change. */
export type AccountConnection = {
  __typename?: 'AccountConnection';
  /** Ordered by name. */
  edges: Array<AccountEdge>;
  /** Where this page is in the list. */
  pageInfo: PageInfo;
  /** Number of matching accounts, on all pages. */
  totalCount: Scalars['Int']['output'];
};

/** An account in a page. */
export type AccountEdge = {
  __typename?: 'AccountEdge';
  /** Cursor of this edge. */
  cursor: Scalars['String']['output'];
  /** The account. */
  node: Account;
};

/** The account, or why it was not created or changed. */
export type AccountPayload = {
  __typename?: 'AccountPayload';
  /** The account as stored; null if refused. */
  account?: Maybe<Account>;
  /** Empty on success. */
  errors: Array<UserError>;
};

/** A person's attendance on a day. The id derives from (staff, date), so it exists before the first mark. Live: attendanceUpdated brings each change of it; the person's name, category and photo and the reason's name change without an event, but raise the day's `rosterVersion`. */
export type Attendance = Node & {
  __typename?: 'Attendance';
  /** When the person came; null if that is unknown, and for whoever is not on site at all. Null for a VIEWER, unless MEMBERSTAFF_VIEWERS_SEE_TIMES shows it. */
  arrivedAt?: Maybe<Scalars['DateTime']['output']>;
  /** The day. */
  date: Scalars['Date']['output'];
  /** The day, as it is now. */
  day: AttendanceDay;
  /** Cursor of this change in the day's feed. Resume from that of the last event received. */
  feedCursor: Scalars['String']['output'];
  /** The record's changes, newest first. */
  history: AttendanceRevisionConnection;
  /** Opaque, and unique across all types. */
  id: Scalars['ID']['output'];
  /** Whether the person has come and not left: PRESENT, LATE or HALF_DAY without `leftAt`. No clock decides it. False for whoever has been erased. */
  isOnSite: Scalars['Boolean']['output'];
  /** When the person left; null if they have not, or it is unknown. Null for a VIEWER, unless MEMBERSTAFF_VIEWERS_SEE_TIMES shows it. */
  leftAt?: Maybe<Scalars['DateTime']['output']>;
  /** Null for a VIEWER: notes may contain health data. */
  note?: Maybe<Scalars['String']['output']>;
  /** A photo attached to the mark. Null for a VIEWER, as notes are. */
  photoUrl?: Maybe<Scalars['URL']['output']>;
  /** Why, from the list of reasons. Null for a VIEWER, unless it is a reason for VIEWERs. */
  reason?: Maybe<Reason>;
  /** Of two answers about this object, however late they come, the newer one has the greater sequence, compared as text. If it is the same, so is the object. */
  sequence: Scalars['String']['output'];
  /** The person; null once they have been erased. */
  staff?: Maybe<Staff>;
  /** "Staff" when no category is set. */
  staffCategory: Scalars['String']['output'];
  /** Id of the Staff. */
  staffId: Scalars['ID']['output'];
  /** "Unknown" once the person has been erased. */
  staffName: Scalars['String']['output'];
  /** A photo of the person. */
  staffPhotoUrl?: Maybe<Scalars['URL']['output']>;
  /** The recorded status. */
  status: AttendanceStatus;
  /** When it was last changed. Null only while version is 0; never null in an event. */
  updatedAt?: Maybe<Scalars['DateTime']['output']>;
  /** The name of whoever made the last change, as it is now; null while version is 0, and for an import on the command line. */
  updatedBy?: Maybe<Scalars['String']['output']>;
  /** The account of whoever made the last change. Null unless you are an ADMIN, and where `updatedBy` is null. */
  updatedByAccount?: Maybe<Account>;
  /** The number of changes to this record. */
  version: Scalars['Int']['output'];
};


/** A person's attendance on a day. The id derives from (staff, date), so it exists before the first mark. Live: attendanceUpdated brings each change of it; the person's name, category and photo and the reason's name change without an event, but raise the day's `rosterVersion`. */
export type AttendanceHistoryArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
};

/** A page of a day's records. */
export type AttendanceConnection = {
  __typename?: 'AttendanceConnection';
  /** Ordered by name. */
  edges: Array<AttendanceEdge>;
  /** The feed's cursor when the first page was read; the same on every page, since page cursors contain it. Pass it to attendanceUpdated(after:). */
  feedCursor: Scalars['String']['output'];
  /** Where this page is in the list. */
  pageInfo: PageInfo;
  /** The day's `rosterVersion` when this page was read: the list is out of date when the day's is greater, which a cache may already know. */
  rosterVersion: Scalars['Int']['output'];
  /** Number of matching records, on all pages, when this page was read. Not live: it changes when the list would. */
  totalCount: Scalars['Int']['output'];
};

/** A calendar day: its state, its counts, and the records of its roster. Live: attendanceUpdated brings each change of a record, attendanceDayUpdated everything else here but lists. */
export type AttendanceDay = Node & {
  __typename?: 'AttendanceDay';
  /** The day. */
  date: Scalars['Date']['output'];
  /** Opaque, and unique across all types. */
  id: Scalars['ID']['output'];
  /** Whether people are expected. */
  isWorkingDay: Scalars['Boolean']['output'];
  /** Such as "Sports day". */
  label?: Maybe<Scalars['String']['output']>;
  /** Everybody on the day's roster, marked or not, ordered by (name, id). Events of attendanceUpdated change the records, but not which of them are listed: refetch the list when `rosterVersion` rises and, if it is filtered by `statuses`, after each event, whose record may belong to it or no longer does. */
  records: AttendanceConnection;
  /** Rises with each change to the staff, to an account's name or to a reason. Refetch the records then: people may have come, gone or been renamed. */
  rosterVersion: Scalars['Int']['output'];
  /** Of two answers about this object, however late they come, the newer one has the greater sequence, compared as text. If it is the same, so is the object. */
  sequence: Scalars['String']['output'];
  /** Whether the day can be marked. */
  state: DayState;
  /** Counts of the whole roster. */
  summary: DaySummary;
};


/** A calendar day: its state, its counts, and the records of its roster. Live: attendanceUpdated brings each change of a record, attendanceDayUpdated everything else here but lists. */
export type AttendanceDayRecordsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  scope?: InputMaybe<StaffScope>;
  search?: InputMaybe<Scalars['String']['input']>;
  statuses?: InputMaybe<Array<AttendanceStatus>>;
};

/** The day, or why it was not changed. */
export type AttendanceDayPayload = {
  __typename?: 'AttendanceDayPayload';
  /** The day as it is now; null if refused, or beside an error. */
  day?: Maybe<AttendanceDay>;
  /** Empty on success. */
  errors: Array<UserError>;
};

/** A record in a page. */
export type AttendanceEdge = {
  __typename?: 'AttendanceEdge';
  /** Cursor of this edge. */
  cursor: Scalars['String']['output'];
  /** The record. */
  node: Attendance;
};

/** One person's mark in a bulk change. */
export type AttendanceEntryInput = {
  /** When the person came; null for unknown. If omitted, a mark on the day itself that somebody has come (to PRESENT, LATE or HALF_DAY from another status) sets it to the moment of the mark, one that somebody has not come clears it, and others do not change it. */
  arrivedAt?: InputMaybe<Scalars['DateTime']['input']>;
  /** VERSION_CONFLICT for this entry if the record has another version. Default: any. A request whose values are stored already changes nothing and succeeds. */
  expectedVersion?: InputMaybe<Scalars['Int']['input']>;
  /** When the person left, up to sixteen hours after the day's midnight; null if they are still there, or are there again. If omitted, cleared where `arrivedAt` is set or cleared, and else not changed. */
  leftAt?: InputMaybe<Scalars['DateTime']['input']>;
  /** Up to 2,000 characters; null or blank for none, and not changed if omitted. */
  note?: InputMaybe<Scalars['String']['input']>;
  /** When the mark was made, if it comes late, from a desk without a network: it decides which day was today, and when the person came. The order of marks, the day's lock and your rights are those of now. TOO_LATE if it is longer ago than MEMBERSTAFF_LATE_MARK_DAYS, CLOCK_AHEAD if it is more than a minute ahead of the server's clock. Default: now. */
  occurredAt?: InputMaybe<Scalars['DateTime']['input']>;
  /** A photo for the mark; null for none, and not changed if omitted. */
  photoUrl?: InputMaybe<Scalars['URL']['input']>;
  /** Id of a Reason that is not retired; null for none, and not changed if omitted. */
  reasonId?: InputMaybe<Scalars['ID']['input']>;
  /** Id of the Staff. */
  staffId: Scalars['ID']['input'];
  /** The status to record. */
  status: AttendanceStatus;
};

/** Mark everybody in the scope, by default only those who are unmarked. Notes, reasons and photos are not changed, and when somebody came is unknown. */
export type AttendanceFillInput = {
  /** When the mark was made, if it comes late, from a desk without a network: it decides which day was today, and when the person came. The order of marks, the day's lock and your rights are those of now. TOO_LATE if it is longer ago than MEMBERSTAFF_LATE_MARK_DAYS, CLOCK_AHEAD if it is more than a minute ahead of the server's clock. Default: now. */
  occurredAt?: InputMaybe<Scalars['DateTime']['input']>;
  /** Whether to leave those alone who are marked already. */
  onlyUnmarked?: Scalars['Boolean']['input'];
  /** Default: the whole roster. */
  scope?: InputMaybe<StaffScope>;
  /** The status for all of them. */
  status: AttendanceStatus;
};

/** Daily counts by category, as they were when the report was read. Not live: ask again after an event of one of its days, or when a `rosterVersion` rises. */
export type AttendanceReport = {
  __typename?: 'AttendanceReport';
  /** Ordered by name; without those that have no people on any day. */
  categories: Array<AttendanceReportCategory>;
  /** The first day. */
  from: Scalars['Date']['output'];
  /** How often each reason was given to a marked record, by name and status; a VIEWER is shown reasons for VIEWERs. */
  reasons: Array<ReasonCount>;
  /** The last day. */
  to: Scalars['Date']['output'];
};

/** A category's daily counts. */
export type AttendanceReportCategory = {
  __typename?: 'AttendanceReportCategory';
  /** The current category; "Staff" for people without one. */
  category: Scalars['String']['output'];
  /** Every calendar day of the report, oldest first. */
  days: Array<AttendanceReportDay>;
};

/** How many people of a category have each status on a day. */
export type AttendanceReportDay = StatusCounts & {
  __typename?: 'AttendanceReportDay';
  /** Expected, and not at work. */
  absent: Scalars['Int']['output'];
  /** The day. */
  date: Scalars['Date']['output'];
  /** At work for half of the day. */
  halfDay: Scalars['Int']['output'];
  /** Whether people are expected. */
  isWorkingDay: Scalars['Boolean']['output'];
  /** At work, late. */
  late: Scalars['Int']['output'];
  /** On leave, so not expected. */
  onLeave: Scalars['Int']['output'];
  /** At work. */
  present: Scalars['Int']['output'];
  /** Share at work (0 to 1) of those marked and not on leave; half days count half. Null if none. */
  presentRate?: Maybe<Scalars['Float']['output']>;
  /** At work from elsewhere. */
  remote: Scalars['Int']['output'];
  /** Everybody who is counted, marked or not. */
  total: Scalars['Int']['output'];
  /** Not marked yet. */
  unmarked: Scalars['Int']['output'];
};

/** A record's values after one of its changes, which never change again. */
export type AttendanceRevision = Node & {
  __typename?: 'AttendanceRevision';
  /** When the person came; null if that is unknown, and for whoever is not on site at all. Null for a VIEWER, unless MEMBERSTAFF_VIEWERS_SEE_TIMES shows it. */
  arrivedAt?: Maybe<Scalars['DateTime']['output']>;
  /** When it was changed. */
  changedAt: Scalars['DateTime']['output'];
  /** The name of whoever changed it, as it is now; null for an import on the command line. */
  changedBy?: Maybe<Scalars['String']['output']>;
  /** The account of whoever changed it. Null unless you are an ADMIN, and where `changedBy` is null. */
  changedByAccount?: Maybe<Account>;
  /** Opaque, and unique across all types. */
  id: Scalars['ID']['output'];
  /** When the person left; null if they have not, or it is unknown. Null for a VIEWER, unless MEMBERSTAFF_VIEWERS_SEE_TIMES shows it. */
  leftAt?: Maybe<Scalars['DateTime']['output']>;
  /** The note after the change. Null for a VIEWER. */
  note?: Maybe<Scalars['String']['output']>;
  /** The photo attached to the mark after the change. Null for a VIEWER. */
  photoUrl?: Maybe<Scalars['URL']['output']>;
  /** Why, from the list of reasons. Null for a VIEWER, unless it is a reason for VIEWERs. */
  reason?: Maybe<Reason>;
  /** The status after the change. */
  status: AttendanceStatus;
  /** The record's version after the change. */
  version: Scalars['Int']['output'];
};

/** A page of a record's changes. Not live: refetch it when the record's `version` has risen. */
export type AttendanceRevisionConnection = {
  __typename?: 'AttendanceRevisionConnection';
  /** Newest first. */
  edges: Array<AttendanceRevisionEdge>;
  /** Where this page is in the list. */
  pageInfo: PageInfo;
};

/** A change in a page. */
export type AttendanceRevisionEdge = {
  __typename?: 'AttendanceRevisionEdge';
  /** Cursor of this edge. */
  cursor: Scalars['String']['output'];
  /** The change. */
  node: AttendanceRevision;
};

/** A person's attendance on a day. Later versions may add values: show an unknown one by its name. */
export type AttendanceStatus =
  /** Expected, and not at work. */
  | 'ABSENT'
  /** At work for half of the day. */
  | 'HALF_DAY'
  /** At work, but came late. */
  | 'LATE'
  /** On leave, so not expected. Can be recorded in advance. */
  | 'ON_LEAVE'
  /** At work. */
  | 'PRESENT'
  /** At work from elsewhere. */
  | 'REMOTE'
  /** Nothing has been recorded. It is never counted as absent. */
  | 'UNMARKED';

/** A record: by its id, or by person and day. */
export type AttendanceTarget =
  /** Id of the Attendance. */
  { id: Scalars['ID']['input']; staffDate?: never; }
  |  /** Person and day. */
  { id?: never; staffDate: StaffDateInput; };

/** A page of the audit log. Not live: ask again for newer entries. */
export type AuditConnection = {
  __typename?: 'AuditConnection';
  /** Newest first. */
  edges: Array<AuditEdge>;
  /** Where this page is in the list. */
  pageInfo: PageInfo;
};

/** A value after the change. */
export type AuditDetail = {
  __typename?: 'AuditDetail';
  /** Such as role or displayName. */
  name: Scalars['String']['output'];
  /** The value as text; null if it was cleared. */
  value?: Maybe<Scalars['String']['output']>;
};

/** An entry in a page. */
export type AuditEdge = {
  __typename?: 'AuditEdge';
  /** Cursor of this edge. */
  cursor: Scalars['String']['output'];
  /** The entry. */
  node: AuditEntry;
};

/** What somebody did, or was refused. Visible to ADMINs only. */
export type AuditEntry = Node & {
  __typename?: 'AuditEntry';
  /** Such as login, login_failed, rate_limited, logout or role_set. */
  action: Scalars['String']['output'];
  /** The client's; of refused attempts over IPv6, its /48. */
  address?: Maybe<Scalars['String']['output']>;
  /** When; of several attempts, the first. */
  at: Scalars['DateTime']['output'];
  /** Who; null for the command line, and for whoever was not let in. */
  by?: Maybe<Account>;
  /** How often within the hour; above 1 for refused attempts only. */
  count: Scalars['Int']['output'];
  /** The values after the change. */
  details: Array<AuditDetail>;
  /** The browser, if somebody had logged in there before, and at a login this account. */
  device?: Maybe<Scalars['String']['output']>;
  /** Opaque, and unique across all types. */
  id: Scalars['ID']['output'];
  /** The operating system's user, for the command line. */
  operator?: Maybe<Scalars['String']['output']>;
  /** What it is about. */
  subject: AuditSubject;
  /** Its id; null for attempts to log in to accounts that do not exist. */
  subjectId?: Maybe<Scalars['ID']['output']>;
  /** What the client said of itself: up to 200 characters. */
  userAgent?: Maybe<Scalars['String']['output']>;
};

/** What an entry is about. Later versions may add values: show an unknown one by its name. */
export type AuditSubject =
  /** An account; `subjectId` is the id of the Account. */
  | 'ACCOUNT'
  /** A day; `subjectId` is the id of the AttendanceDay. */
  | 'DAY'
  /** A reason; `subjectId` is the id of the Reason. */
  | 'REASON'
  /** A person; `subjectId` is the id of the Staff. */
  | 'STAFF';

/** Many marks: individual ones, or one status for all. */
export type BulkAttendanceChange =
  /** Individual marks, up to 20,000. */
  { entries: Array<AttendanceEntryInput>; fill?: never; }
  |  /** One status for all. */
  { entries?: never; fill: AttendanceFillInput; };

/** Whether an invalid entry rejects the whole request, or only itself. */
export type BulkErrorPolicy =
  /** Nothing is recorded if any entry is invalid. */
  | 'REJECT_ALL'
  /** The valid entries are recorded, and `errors` has the others. */
  | 'SKIP_FAILED';

/** Many marks on one day, in one transaction. */
export type BulkUpdateAttendanceInput = {
  /** The marks. */
  change: BulkAttendanceChange;
  /** Any text, which the payload returns. */
  clientMutationId?: InputMaybe<Scalars['String']['input']>;
  /** The day. */
  date: Scalars['Date']['input'];
  /** What to do if an entry is invalid. */
  errorPolicy?: BulkErrorPolicy;
  /** A request repeated with the same key within a day is not executed again. */
  idempotencyKey?: InputMaybe<Scalars['ID']['input']>;
};

/** The day after a bulk change, or why it was refused. */
export type BulkUpdateAttendancePayload = {
  __typename?: 'BulkUpdateAttendancePayload';
  /** The records changed by this request, by name. Null only beside an error, as when there are more than 1,000: the changes are made all the same. */
  attendances?: Maybe<Array<Attendance>>;
  /** From the input. */
  clientMutationId?: Maybe<Scalars['String']['output']>;
  /** The day as it is now; null if everything was refused, or beside an error. */
  day?: Maybe<AttendanceDay>;
  /** Empty if everything succeeded. Of more than 1,000, the last one, LIMIT_EXCEEDED, says how many are left out. */
  errors: Array<UserError>;
};

/** Changes your own password. */
export type ChangePasswordInput = {
  /** The current password. */
  currentPassword: Scalars['String']['input'];
  /** At least 12 characters, at most 256 bytes in UTF-8; not a common password, a pattern, or the account's own names. */
  newPassword: Scalars['String']['input'];
};

/** The tokens of your new session, or why the password was not changed. */
export type ChangePasswordPayload = {
  __typename?: 'ChangePasswordPayload';
  /** To be sent from now on: the one that was sent is no longer valid. */
  accessToken?: Maybe<Scalars['String']['output']>;
  /** Empty on success. */
  errors: Array<UserError>;
  /** When the access token expires. */
  expiresAt?: Maybe<Scalars['DateTime']['output']>;
  /** Null when it is in the cookie, if the session's was there. */
  refreshToken?: Maybe<Scalars['String']['output']>;
};

/** The clock where a mark was made is ahead of the server's; it can be set by `serverTime`. */
export type ClockAheadError = UserError & {
  __typename?: 'ClockAheadError';
  /** For programs. */
  code: ErrorCode;
  /** For people, in English. */
  message: Scalars['String']['output'];
  /** Where the error is in the input, such as ["entries", "3", "note"]. */
  path: Array<Scalars['String']['output']>;
  /** When the server judged the mark. */
  serverTime: Scalars['DateTime']['output'];
};

/** An account to create. */
export type CreateAccountInput = {
  /** One line, up to 200 characters. Default: derived from the email address. */
  displayName?: InputMaybe<Scalars['String']['input']>;
  /** Used to log in; not case-sensitive. */
  email: Scalars['String']['input'];
  /** At least 12 characters, at most 256 bytes in UTF-8; not a common password, a pattern, or the account's own names. */
  password: Scalars['String']['input'];
  /** What the account may do. */
  role: Role;
};

/** A reason to create. */
export type CreateReasonInput = {
  /** Whether a VIEWER, who sees no notes, is shown it on records, and may be told why somebody is not there. Default: no. */
  isForViewers?: Scalars['Boolean']['input'];
  /** One line, up to 100 characters, which no other reason has in any spelling. */
  name: Scalars['String']['input'];
};

/** A person to add to the roster. Null is as good as omitted: the default, or in an import of somebody who exists the stored value. */
export type CreateStaffInput = {
  /** Such as Teaching; one line, up to 200 characters. Default: none. */
  category?: InputMaybe<Scalars['String']['input']>;
  /** Last day of employment. Default: none. */
  endsOn?: InputMaybe<Scalars['Date']['input']>;
  /** An id in another system; unique, and up to 200 characters. Default: none. */
  externalRef?: InputMaybe<Scalars['String']['input']>;
  /** One line, up to 200 characters. */
  name: Scalars['String']['input'];
  /** A photo of the person. Default: none. */
  photoUrl?: InputMaybe<Scalars['URL']['input']>;
  /** First day of employment. Default: today. */
  startsOn?: InputMaybe<Scalars['Date']['input']>;
};

/** Whether a day can be marked. */
export type DayState =
  /** It takes no marks until an administrator unlocks it. */
  | 'LOCKED'
  /** It takes marks. Every day is open until it is locked. */
  | 'OPEN';

/** How many of a day's roster have each status, whatever a list of its records is filtered by. Live: select it in attendanceDayUpdated, or as `day { summary }` in attendanceUpdated. */
export type DaySummary = Node & StatusCounts & {
  __typename?: 'DaySummary';
  /** Expected, and not at work. */
  absent: Scalars['Int']['output'];
  /** At work for half of the day. */
  halfDay: Scalars['Int']['output'];
  /** Opaque, and unique across all types. */
  id: Scalars['ID']['output'];
  /** At work, late. */
  late: Scalars['Int']['output'];
  /** On leave, so not expected. */
  onLeave: Scalars['Int']['output'];
  /** Who have come and not left, as `Attendance.isOnSite` says. */
  onSite: Scalars['Int']['output'];
  /** At work. */
  present: Scalars['Int']['output'];
  /** Share at work (0 to 1) of those marked and not on leave; half days count half. Null if none. */
  presentRate?: Maybe<Scalars['Float']['output']>;
  /** At work from elsewhere. */
  remote: Scalars['Int']['output'];
  /** Of two answers about this object, however late they come, the newer one has the greater sequence, compared as text. If it is the same, so is the object. */
  sequence: Scalars['String']['output'];
  /** Everybody who is counted, marked or not. */
  total: Scalars['Int']['output'];
  /** Not marked yet. */
  unmarked: Scalars['Int']['output'];
};

/** Why an input was rejected. Later versions may add values: treat an unknown one like INVALID. */
export type ErrorCode =
  /** The email address, the password or the token is wrong, or the account is disabled. */
  | 'BAD_CREDENTIALS'
  /** `occurredAt` is more than a minute ahead of the server's clock, which the error's `serverTime` tells. */
  | 'CLOCK_AHEAD'
  /** The day is locked and takes no marks. */
  | 'DAY_LOCKED'
  /** It exists already, or occurs twice in the request. */
  | 'DUPLICATE'
  /** The day is in the future: only leave can be recorded in advance, and it cannot be locked yet. */
  | 'FUTURE_DATE'
  /** A value cannot be stored; the message says why. */
  | 'INVALID'
  /** The person would leave before they come. */
  | 'LEFT_BEFORE_ARRIVED'
  /** The request contains too much; the message names the limit. */
  | 'LIMIT_EXCEEDED'
  /** There is nobody and nothing with this id. */
  | 'NOT_FOUND'
  /** The time is not of that day, which for this ends sixteen hours after its midnight. */
  | 'OUTSIDE_DAY'
  /** The person is not employed on that day. */
  | 'STAFF_INACTIVE'
  /** `occurredAt` is longer ago than a mark may come late. */
  | 'TOO_LATE'
  /** Somebody else changed it first: it no longer has the `expectedVersion`. */
  | 'VERSION_CONFLICT';

/** People to add or change, in one transaction. */
export type ImportStaffInput = {
  /** Return a preview, and change nothing. */
  dryRun?: Scalars['Boolean']['input'];
  /** A request repeated with the same key within a day is not executed again. */
  idempotencyKey?: InputMaybe<Scalars['ID']['input']>;
  /** Up to 20,000. Omitted and null fields of existing people are not changed. */
  rows: Array<CreateStaffInput>;
};

/** The result of an import, or why it was rejected. */
export type ImportStaffPayload = {
  __typename?: 'ImportStaffPayload';
  /** In a dry run, the first 1,000 rows that would change; otherwise empty. */
  changes: Array<StaffImportChange>;
  /** Number of new people. */
  created: Scalars['Int']['output'];
  /** An error for each invalid row; empty on success. Of more than 1,000, the last one, LIMIT_EXCEEDED, says how many are left out. */
  errors: Array<UserError>;
  /** Number of people whose data was up to date. */
  unchanged: Scalars['Int']['output'];
  /** Number of people whose data changed. */
  updated: Scalars['Int']['output'];
};

/** An invalid input. */
export type InputError = UserError & {
  __typename?: 'InputError';
  /** For programs. */
  code: ErrorCode;
  /** For people, in English. */
  message: Scalars['String']['output'];
  /** Where the error is in the input, such as ["entries", "3", "note"]. */
  path: Array<Scalars['String']['output']>;
};

/** Credentials. */
export type LoginInput = {
  /** Set the refresh token as an HttpOnly cookie instead of returning it, and another by which this device is known: wrong attempts elsewhere do not lock it out. Over HTTP only, for pages of this server. */
  cookie?: Scalars['Boolean']['input'];
  /** The account's email address; not case-sensitive. */
  email: Scalars['String']['input'];
  /** At most 256 bytes in UTF-8. */
  password: Scalars['String']['input'];
};

/** The result of a logout. */
export type LogoutPayload = {
  __typename?: 'LogoutPayload';
  /** Always empty. */
  errors: Array<UserError>;
};

/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type Mutation = {
  __typename?: 'Mutation';
  /** Record many people's attendance for one day, in one transaction. Requires MARKER for today and the `correctionDays` before it, and ADMIN for other days. */
  bulkUpdateAttendance?: Maybe<BulkUpdateAttendancePayload>;
  /** Change your own password. All sessions of the account end, and their sockets close; you go on in a new session. RATE_LIMITED after a few attempts. */
  changePassword?: Maybe<ChangePasswordPayload>;
  /** Create an account. Requires ADMIN. */
  createAccount?: Maybe<AccountPayload>;
  /** Add a reason, of which there are up to 100. Requires ADMIN. */
  createReason?: Maybe<ReasonPayload>;
  /** Add a person to the roster. Requires ADMIN. */
  createStaff?: Maybe<StaffPayload>;
  /** Add or change many people in one transaction. Requires ADMIN. */
  importStaff?: Maybe<ImportStaffPayload>;
  /** Log in with an email address and a password. RATE_LIMITED after a few attempts. */
  login?: Maybe<SessionPayload>;
  /** End the session and close its sockets, on every node. Needs the access token or the cookie. */
  logout?: Maybe<LogoutPayload>;
  /**
   * The old name of updateAttendanceDay. It opens nothing: a locked day stays locked. Requires ADMIN.
   * @deprecated Use updateAttendanceDay, which takes the same input.
   */
  openAttendanceDay?: Maybe<AttendanceDayPayload>;
  /** Exchange a refresh token, which can be used once, for new tokens of the same session. */
  refreshSession?: Maybe<SessionPayload>;
  /** Lock a day, so that it cannot be marked, or unlock it. Requires ADMIN. */
  setAttendanceDayState?: Maybe<AttendanceDayPayload>;
  /** Change an account's role, name or password, or disable it. Requires ADMIN. */
  updateAccount?: Maybe<AccountPayload>;
  /** Record a person's attendance for a day; every open board shows it. Requires MARKER for today and the `correctionDays` before it, and ADMIN for other days. */
  updateAttendance?: Maybe<UpdateAttendancePayload>;
  /** Set whether a day is a working day, and its label. Whether it takes marks is another matter: see setAttendanceDayState. Requires ADMIN. */
  updateAttendanceDay?: Maybe<AttendanceDayPayload>;
  /** Rename a reason, show it to VIEWERs or not, retire it, or bring it back. All records show it so, older ones too. Requires ADMIN. */
  updateReason?: Maybe<ReasonPayload>;
  /** Change a person's data. Requires ADMIN. */
  updateStaff?: Maybe<StaffPayload>;
};


/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type MutationBulkUpdateAttendanceArgs = {
  input: BulkUpdateAttendanceInput;
};


/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type MutationChangePasswordArgs = {
  input: ChangePasswordInput;
};


/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type MutationCreateAccountArgs = {
  input: CreateAccountInput;
};


/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type MutationCreateReasonArgs = {
  input: CreateReasonInput;
};


/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type MutationCreateStaffArgs = {
  input: CreateStaffInput;
};


/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type MutationImportStaffArgs = {
  input: ImportStaffInput;
};


/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type MutationLoginArgs = {
  input: LoginInput;
};


/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type MutationOpenAttendanceDayArgs = {
  input: OpenAttendanceDayInput;
};


/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type MutationRefreshSessionArgs = {
  input: RefreshSessionInput;
};


/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type MutationSetAttendanceDayStateArgs = {
  input: SetAttendanceDayStateInput;
};


/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type MutationUpdateAccountArgs = {
  input: UpdateAccountInput;
};


/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type MutationUpdateAttendanceArgs = {
  input: UpdateAttendanceInput;
};


/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type MutationUpdateAttendanceDayArgs = {
  input: UpdateAttendanceDayInput;
};


/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type MutationUpdateReasonArgs = {
  input: UpdateReasonInput;
};


/** All mutations, run one after the other. Each is a transaction of its own: one that fails is null, beside an error, and takes nothing back that another has done. */
export type MutationUpdateStaffArgs = {
  input: UpdateStaffInput;
};

/** An object with an id, by which `node` finds it again. */
export type Node = {
  /** Opaque, and unique across all types. */
  id: Scalars['ID']['output'];
};

/** Settings of a day. Omitted fields are not changed. */
export type OpenAttendanceDayInput = {
  /** The day. */
  date: Scalars['Date']['input'];
  /** Whether people are expected; null for what the organisation's week says. */
  isWorkingDay?: InputMaybe<Scalars['Boolean']['input']>;
  /** Such as "Sports day"; one line, up to 200 characters. Null or blank for none. */
  label?: InputMaybe<Scalars['String']['input']>;
};

/** Where a page is in its list, when it was read. */
export type PageInfo = {
  __typename?: 'PageInfo';
  /** Cursor of the page's last edge, and the `after` of the next page; null if it has none. */
  endCursor?: Maybe<Scalars['String']['output']>;
  /** Whether there is a next page. */
  hasNextPage: Scalars['Boolean']['output'];
  /** Whether this page was fetched with `after`. */
  hasPreviousPage: Scalars['Boolean']['output'];
  /** Cursor of the page's first edge; null if it has none. */
  startCursor?: Maybe<Scalars['String']['output']>;
};

/** All queries. A field that fails is null, beside an error; the others are not affected. */
export type Query = {
  __typename?: 'Query';
  /** Accounts by name. Requires ADMIN. */
  accounts?: Maybe<AccountConnection>;
  /** A record, even before its first mark; null if there is no such person. */
  attendance?: Maybe<Attendance>;
  /** A day's board. Every date has one: null only beside an error. */
  attendanceDay?: Maybe<AttendanceDay>;
  /** Daily counts by category, from one day to another; at most 92 days and 40 categories. Days to come count the leave that is planned. */
  attendanceReport?: Maybe<AttendanceReport>;
  /** Logins, refused attempts, and changes of rights, staff, days and reasons, newest first. An entry matches if it matches every argument. Requires ADMIN. */
  audit?: Maybe<AuditConnection>;
  /** The object with this id; null if there is none. */
  node?: Maybe<Node>;
  /** The reasons that can be chosen, by name; a VIEWER is shown those that are for VIEWERs. Not live: ask again before one is chosen. */
  reasons?: Maybe<Array<Reason>>;
  /** The roster, by name: everybody employed on a day, by default today. */
  staff?: Maybe<StaffConnection>;
  /** Whoever is logged in; null if no access token was sent. */
  viewer?: Maybe<Viewer>;
};


/** All queries. A field that fails is null, beside an error; the others are not affected. */
export type QueryAccountsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  search?: InputMaybe<Scalars['String']['input']>;
};


/** All queries. A field that fails is null, beside an error; the others are not affected. */
export type QueryAttendanceArgs = {
  target: AttendanceTarget;
};


/** All queries. A field that fails is null, beside an error; the others are not affected. */
export type QueryAttendanceDayArgs = {
  date?: InputMaybe<Scalars['Date']['input']>;
};


/** All queries. A field that fails is null, beside an error; the others are not affected. */
export type QueryAttendanceReportArgs = {
  from: Scalars['Date']['input'];
  scope?: InputMaybe<StaffScope>;
  to: Scalars['Date']['input'];
};


/** All queries. A field that fails is null, beside an error; the others are not affected. */
export type QueryAuditArgs = {
  account?: InputMaybe<Scalars['ID']['input']>;
  action?: InputMaybe<Scalars['String']['input']>;
  after?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  from?: InputMaybe<Scalars['DateTime']['input']>;
  subject?: InputMaybe<AuditSubject>;
  to?: InputMaybe<Scalars['DateTime']['input']>;
};


/** All queries. A field that fails is null, beside an error; the others are not affected. */
export type QueryNodeArgs = {
  id: Scalars['ID']['input'];
};


/** All queries. A field that fails is null, beside an error; the others are not affected. */
export type QueryReasonsArgs = {
  includeRetired?: Scalars['Boolean']['input'];
};


/** All queries. A field that fails is null, beside an error; the others are not affected. */
export type QueryStaffArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  filter?: InputMaybe<StaffFilter>;
  first?: InputMaybe<Scalars['Int']['input']>;
};

/** Why somebody is late or absent, chosen from a list. Not live: a day's `rosterVersion` rises when one is renamed, retired, or shown to VIEWERs or not. */
export type Reason = Node & {
  __typename?: 'Reason';
  /** Opaque, and unique across all types. */
  id: Scalars['ID']['output'];
  /** Whether a VIEWER is shown it, who sees no notes. */
  isForViewers: Scalars['Boolean']['output'];
  /** Whether it can be chosen no more. Where it was chosen, it stays. */
  isRetired: Scalars['Boolean']['output'];
  /** As it is now, also on older marks. */
  name: Scalars['String']['output'];
};

/** How often a reason was given with a status. */
export type ReasonCount = {
  __typename?: 'ReasonCount';
  /** Records: people, each day on its own. */
  count: Scalars['Int']['output'];
  /** The reason. */
  reason: Reason;
  /** Of the records that have it. */
  status: AttendanceStatus;
};

/** The reason, or why it was refused. */
export type ReasonPayload = {
  __typename?: 'ReasonPayload';
  /** Empty on success. */
  errors: Array<UserError>;
  /** As stored; null if refused. */
  reason?: Maybe<Reason>;
};

/** A refresh token, to be sent before the access token expires. */
export type RefreshSessionInput = {
  /** The token from the last login or refresh. Default: the one in the browser's cookie. */
  refreshToken?: InputMaybe<Scalars['String']['input']>;
};

/** What an account may do. */
export type Role =
  /** Everything. */
  | 'ADMIN'
  /** Read, and mark today and, as long as a setting allows, the days before. */
  | 'MARKER'
  /** Read, without notes, photos of marks, reasons but those for VIEWERs and, by default, times. */
  | 'VIEWER';

/** The tokens of a session, or why there is none. */
export type SessionPayload = {
  __typename?: 'SessionPayload';
  /** Send it as `Authorization: Bearer …`, and in the `connection_init` of a socket. */
  accessToken?: Maybe<Scalars['String']['output']>;
  /** Empty on success. BAD_CREDENTIALS, whichever of them was wrong. */
  errors: Array<UserError>;
  /** When the access token expires. */
  expiresAt?: Maybe<Scalars['DateTime']['output']>;
  /** Valid for one refreshSession, which can be repeated if its answer was lost. Using one that was replaced ends the session. Null when it is in a cookie. */
  refreshToken?: Maybe<Scalars['String']['output']>;
  /** Who is logged in now; null if refused. */
  viewer?: Maybe<Viewer>;
};

/** Lock or unlock a day. */
export type SetAttendanceDayStateInput = {
  /** The day. */
  date: Scalars['Date']['input'];
  /** Recorded in the audit log if the state changes; up to 500 characters. */
  reason?: InputMaybe<Scalars['String']['input']>;
  /** LOCKED, not for a day in the future, or OPEN. */
  state: DayState;
};

/** A person whose attendance is recorded. Not live: refetch when a day's `rosterVersion` rises, which is with each change to anybody. */
export type Staff = Node & {
  __typename?: 'Staff';
  /** Marked records from one day to another, by date; at most 92 days. The list is not live: a first mark adds no record to it until you refetch. */
  attendance: Array<Attendance>;
  /** "Staff" when no category is set. */
  category: Scalars['String']['output'];
  /** Last day of employment; null if none is known. */
  endsOn?: Maybe<Scalars['Date']['output']>;
  /** The person's id in another system. */
  externalRef?: Maybe<Scalars['String']['output']>;
  /** Opaque, and unique across all types. */
  id: Scalars['ID']['output'];
  /** "Unknown" once the person has been erased. */
  name: Scalars['String']['output'];
  /** A photo of the person. */
  photoUrl?: Maybe<Scalars['URL']['output']>;
  /** First day of employment. A day's roster is everybody employed on it; other records stay readable. */
  startsOn: Scalars['Date']['output'];
  /** Rises with each change; send it as `expectedVersion`. */
  version: Scalars['Int']['output'];
};


/** A person whose attendance is recorded. Not live: refetch when a day's `rosterVersion` rises, which is with each change to anybody. */
export type StaffAttendanceArgs = {
  from: Scalars['Date']['input'];
  to: Scalars['Date']['input'];
};

/** A page of the roster. Not live: refetch it when a day's `rosterVersion` rises, and after midnight. */
export type StaffConnection = {
  __typename?: 'StaffConnection';
  /** Ordered by name. */
  edges: Array<StaffEdge>;
  /** Where this page is in the list. */
  pageInfo: PageInfo;
  /** Number of matching people, on all pages, when this page was read. */
  totalCount: Scalars['Int']['output'];
};

/** A person and a day: a record, even before its first mark. */
export type StaffDateInput = {
  /** The day. */
  date: Scalars['Date']['input'];
  /** Id of the Staff. */
  staffId: Scalars['ID']['input'];
};

/** A person in a page. */
export type StaffEdge = {
  __typename?: 'StaffEdge';
  /** Cursor of this edge. */
  cursor: Scalars['String']['output'];
  /** The person. */
  node: Staff;
};

/** Filters a list of people: those who match every field that is given. */
export type StaffFilter = {
  /** Only people of these categories, spelt exactly as they are stored. */
  categories?: InputMaybe<Array<Scalars['String']['input']>>;
  /** Employed on this day. Default: today. */
  on?: InputMaybe<Scalars['Date']['input']>;
  /** Words that the name or the category contains, ignoring case and accents; up to 200 characters. */
  search?: InputMaybe<Scalars['String']['input']>;
};

/** What an import does with a row. */
export type StaffImportAction =
  /** The row adds a person. */
  | 'CREATED'
  /** The person has these values already. */
  | 'UNCHANGED'
  /** The row changes a person. */
  | 'UPDATED';

/** What an import would do with a row. */
export type StaffImportChange = {
  __typename?: 'StaffImportChange';
  /** Never UNCHANGED; such rows are only counted. */
  action: StaffImportAction;
  /** Names of the input fields that differ from the stored values, or from an empty person. */
  fields: Array<Scalars['String']['output']>;
  /** The person's name after the change. */
  name: Scalars['String']['output'];
  /** Index of the row in the input, from 0. */
  row: Scalars['Int']['output'];
};

/** The person, or why they were not created or changed. */
export type StaffPayload = {
  __typename?: 'StaffPayload';
  /** Empty on success. */
  errors: Array<UserError>;
  /** The person as stored; null if refused. */
  staff?: Maybe<Staff>;
};

/** Some of the people: those who match every field that is given. Only by what a mark cannot change, so that none moves a record out of a feed. */
export type StaffScope = {
  /** Only people of these categories, up to 1,000, spelt exactly as they are stored. */
  categories?: InputMaybe<Array<Scalars['String']['input']>>;
  /** Only these people, up to 1,000: ids of Staff. */
  staffIds?: InputMaybe<Array<Scalars['ID']['input']>>;
};

/** How many people have each status. */
export type StatusCounts = {
  /** Expected, and not at work. */
  absent: Scalars['Int']['output'];
  /** At work for half of the day. */
  halfDay: Scalars['Int']['output'];
  /** At work, late. */
  late: Scalars['Int']['output'];
  /** On leave, so not expected. */
  onLeave: Scalars['Int']['output'];
  /** At work. */
  present: Scalars['Int']['output'];
  /** Share at work (0 to 1) of those marked and not on leave; half days count half. Null if none. */
  presentRate?: Maybe<Scalars['Float']['output']>;
  /** At work from elsewhere. */
  remote: Scalars['Int']['output'];
  /** Everybody who is counted, marked or not. */
  total: Scalars['Int']['output'];
  /** Not marked yet. */
  unmarked: Scalars['Int']['output'];
};

/** All subscriptions. */
export type Subscription = {
  __typename?: 'Subscription';
  /** The day's state, now and after each change of its counts, lock, label, working day or roster. Changes in quick succession may be coalesced: the last one is always sent. */
  attendanceDayUpdated: AttendanceDay;
  /** The changes of a day's records after the cursor, or without one from now on: each once, in order. RESTART_REQUIRED if the cursor cannot be resumed from, such as that of another day: query the day again, and subscribe from its feedCursor. An event is the record as this change left it; its `staff`, `day` and `history` may be newer. */
  attendanceUpdated: Attendance;
};


/** All subscriptions. */
export type SubscriptionAttendanceDayUpdatedArgs = {
  date?: InputMaybe<Scalars['Date']['input']>;
};


/** All subscriptions. */
export type SubscriptionAttendanceUpdatedArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  date?: InputMaybe<Scalars['Date']['input']>;
  scope?: InputMaybe<StaffScope>;
};

/** Changes to an account. Omitted fields are not changed; null is INVALID, as none can be cleared. */
export type UpdateAccountInput = {
  /** One line, up to 200 characters. */
  displayName?: InputMaybe<Scalars['String']['input']>;
  /** Id of the Account. */
  id: Scalars['ID']['input'];
  /** True ends its sessions and closes its sockets. */
  isDisabled?: InputMaybe<Scalars['Boolean']['input']>;
  /** A new password; ends its sessions. At least 12 characters, at most 256 bytes in UTF-8; not a common password, a pattern, or the account's own names. */
  password?: InputMaybe<Scalars['String']['input']>;
  /** Takes effect immediately, on open sockets too. */
  role?: InputMaybe<Role>;
};

/** Settings of a day. Omitted fields are not changed. */
export type UpdateAttendanceDayInput = {
  /** The day. */
  date: Scalars['Date']['input'];
  /** Whether people are expected; null for what the organisation's week says. */
  isWorkingDay?: InputMaybe<Scalars['Boolean']['input']>;
  /** Such as "Sports day"; one line, up to 200 characters. Null or blank for none. */
  label?: InputMaybe<Scalars['String']['input']>;
};

/** A change of a record. Omitted fields are not changed; null clears a note, a reason, a photo or a time, and is INVALID for a status, since UNMARKED takes a mark back. */
export type UpdateAttendanceInput = {
  /** When the person came; null for unknown. If omitted, a mark on the day itself that somebody has come (to PRESENT, LATE or HALF_DAY from another status) sets it to the moment of the mark, one that somebody has not come clears it, and others do not change it. */
  arrivedAt?: InputMaybe<Scalars['DateTime']['input']>;
  /** Any text, which the payload returns. */
  clientMutationId?: InputMaybe<Scalars['String']['input']>;
  /** VERSION_CONFLICT if the record has another version. Default: any. A request whose values are stored already changes nothing and succeeds. */
  expectedVersion?: InputMaybe<Scalars['Int']['input']>;
  /** When the person left, up to sixteen hours after the day's midnight; null if they are still there, or are there again. If omitted, cleared where `arrivedAt` is set or cleared, and else not changed. */
  leftAt?: InputMaybe<Scalars['DateTime']['input']>;
  /** Up to 2,000 characters; null or blank for none, and not changed if omitted. */
  note?: InputMaybe<Scalars['String']['input']>;
  /** When the mark was made, if it comes late, from a desk without a network: it decides which day was today, and when the person came. The order of marks, the day's lock and your rights are those of now. TOO_LATE if it is longer ago than MEMBERSTAFF_LATE_MARK_DAYS, CLOCK_AHEAD if it is more than a minute ahead of the server's clock. Default: now. */
  occurredAt?: InputMaybe<Scalars['DateTime']['input']>;
  /** A photo for the mark; null for none, and not changed if omitted. */
  photoUrl?: InputMaybe<Scalars['URL']['input']>;
  /** Id of a Reason that is not retired; null for none, and not changed if omitted. */
  reasonId?: InputMaybe<Scalars['ID']['input']>;
  /** The status to record; not changed if omitted. */
  status?: InputMaybe<AttendanceStatus>;
  /** The record to change. */
  target: AttendanceTarget;
};

/** The record, or why it was not changed. */
export type UpdateAttendancePayload = {
  __typename?: 'UpdateAttendancePayload';
  /** The record as stored; null if refused. */
  attendance?: Maybe<Attendance>;
  /** From the input. */
  clientMutationId?: Maybe<Scalars['String']['output']>;
  /** Empty on success. */
  errors: Array<UserError>;
};

/** Changes to a reason. Omitted fields are not changed; null is INVALID, as none can be cleared. */
export type UpdateReasonInput = {
  /** Id of the Reason. */
  id: Scalars['ID']['input'];
  /** Whether a VIEWER, who sees no notes, is shown it on records, and may be told why somebody is not there. */
  isForViewers?: InputMaybe<Scalars['Boolean']['input']>;
  /** Whether it can be chosen no more. Where it was chosen, it stays. */
  isRetired?: InputMaybe<Scalars['Boolean']['input']>;
  /** One line, up to 100 characters, which no other reason has in any spelling. */
  name?: InputMaybe<Scalars['String']['input']>;
};

/** Changes to a person. Omitted fields are not changed; null clears, and is INVALID where it cannot. */
export type UpdateStaffInput = {
  /** Such as Teaching; one line, up to 200 characters. Null or blank for none. */
  category?: InputMaybe<Scalars['String']['input']>;
  /** Last day of employment; null for none. */
  endsOn?: InputMaybe<Scalars['Date']['input']>;
  /** VERSION_CONFLICT if the person has another version, and a value would change. Default: any. */
  expectedVersion?: InputMaybe<Scalars['Int']['input']>;
  /** An id in another system; unique, and up to 200 characters. Null or blank for none. */
  externalRef?: InputMaybe<Scalars['String']['input']>;
  /** Id of the Staff. */
  id: Scalars['ID']['input'];
  /** One line, up to 200 characters; null is INVALID. */
  name?: InputMaybe<Scalars['String']['input']>;
  /** A photo of the person. Null for none. */
  photoUrl?: InputMaybe<Scalars['URL']['input']>;
  /** First day of employment; null is INVALID. */
  startsOn?: InputMaybe<Scalars['Date']['input']>;
};

/** An error in the input of a mutation. */
export type UserError = {
  /** For programs. */
  code: ErrorCode;
  /** For people, in English. */
  message: Scalars['String']['output'];
  /** Where the error is in the input, such as ["entries", "3", "note"]. */
  path: Array<Scalars['String']['output']>;
};

/** Somebody else changed the record first; `current` lets the client show it and retry. */
export type VersionConflictError = UserError & {
  __typename?: 'VersionConflictError';
  /** For programs. */
  code: ErrorCode;
  /** The record as stored; null only beside an error. */
  current?: Maybe<Attendance>;
  /** For people, in English. */
  message: Scalars['String']['output'];
  /** Where the error is in the input, such as ["entries", "3", "note"]. */
  path: Array<Scalars['String']['output']>;
};

/** Whoever is logged in, and what they need to know of the organisation. Not live: `today` changes at midnight in the time zone, and the name and the role when an ADMIN changes them. Ask again then. */
export type Viewer = Node & {
  __typename?: 'Viewer';
  /** Id of your Account, which an ADMIN meets in `accounts`, in the audit log and beside marks. */
  accountId: Scalars['ID']['output'];
  /** How many days before today a MARKER may mark, too. */
  correctionDays: Scalars['Int']['output'];
  /** Shown next to the marks made by this account. */
  displayName: Scalars['String']['output'];
  /** Opaque, and unique across all types. */
  id: Scalars['ID']['output'];
  /** The organisation's name. */
  organisation: Scalars['String']['output'];
  /** What the account may do. */
  role: Role;
  /** IANA name of the organisation's time zone, which decides what day is today. */
  timeZone: Scalars['String']['output'];
  /** Today in the organisation's time zone. */
  today: Scalars['Date']['output'];
};

/** The object types of each interface, for Apollo Client's `InMemoryCache` and for Graphcache. */
export const possibleTypes: Record<string, string[]> = {
  "Node": [
    "Account",
    "Attendance",
    "AttendanceDay",
    "AttendanceRevision",
    "AuditEntry",
    "DaySummary",
    "Reason",
    "Staff",
    "Viewer"
  ],
  "StatusCounts": [
    "AttendanceReportDay",
    "DaySummary"
  ],
  "UserError": [
    "ClockAheadError",
    "InputError",
    "VersionConflictError"
  ]
};

/** Object types without an id, which Graphcache keeps inside their parents. */
export const embeddedTypes: readonly string[] = [
  "AccountConnection",
  "AccountEdge",
  "AccountPayload",
  "AttendanceConnection",
  "AttendanceDayPayload",
  "AttendanceEdge",
  "AttendanceReport",
  "AttendanceReportCategory",
  "AttendanceReportDay",
  "AttendanceRevisionConnection",
  "AttendanceRevisionEdge",
  "AuditConnection",
  "AuditDetail",
  "AuditEdge",
  "BulkUpdateAttendancePayload",
  "ChangePasswordPayload",
  "ClockAheadError",
  "ImportStaffPayload",
  "InputError",
  "LogoutPayload",
  "PageInfo",
  "ReasonCount",
  "ReasonPayload",
  "SessionPayload",
  "StaffConnection",
  "StaffEdge",
  "StaffImportChange",
  "StaffPayload",
  "UpdateAttendancePayload",
  "VersionConflictError"
];