/**
 * @generated SignedSource<<f06c51e64c84ef2ee391a3270919ef4b>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
export type AttendanceStatus = "ABSENT" | "HALF_DAY" | "LATE" | "ON_LEAVE" | "PRESENT" | "REMOTE" | "UNMARKED" | "%future added value";
export type DayState = "LOCKED" | "OPEN" | "%future added value";
export type ErrorCode = "BAD_CREDENTIALS" | "CLOCK_AHEAD" | "DAY_LOCKED" | "DUPLICATE" | "FUTURE_DATE" | "INVALID" | "LEFT_BEFORE_ARRIVED" | "LIMIT_EXCEEDED" | "NOT_FOUND" | "OUTSIDE_DAY" | "STAFF_INACTIVE" | "TOO_LATE" | "VERSION_CONFLICT" | "%future added value";
export type UpdateAttendanceInput = {
  arrivedAt?: string | null | undefined;
  clientMutationId?: string | null | undefined;
  expectedVersion?: number | null | undefined;
  leftAt?: string | null | undefined;
  note?: string | null | undefined;
  occurredAt?: string | null | undefined;
  photoUrl?: string | null | undefined;
  reasonId?: string | null | undefined;
  status?: AttendanceStatus | null | undefined;
  target: AttendanceTarget;
};
export type AttendanceTarget = {
  id: string;
  staffDate?: never;
} | {
  id?: never;
  staffDate: StaffDateInput;
};
export type StaffDateInput = {
  date: string;
  staffId: string;
};
export type Mark$variables = {
  input: UpdateAttendanceInput;
};
export type Mark$data = {
  readonly updateAttendance: {
    readonly attendance: {
      readonly arrivedAt: string | null | undefined;
      readonly date: string;
      readonly day: {
        readonly date: string;
        readonly id: string;
        readonly isWorkingDay: boolean;
        readonly label: string | null | undefined;
        readonly rosterVersion: number;
        readonly sequence: string;
        readonly state: DayState;
        readonly summary: {
          readonly absent: number;
          readonly halfDay: number;
          readonly id: string;
          readonly late: number;
          readonly onLeave: number;
          readonly onSite: number;
          readonly present: number;
          readonly presentRate: number | null | undefined;
          readonly remote: number;
          readonly sequence: string;
          readonly total: number;
          readonly unmarked: number;
        };
      };
      readonly feedCursor: string;
      readonly id: string;
      readonly isOnSite: boolean;
      readonly leftAt: string | null | undefined;
      readonly note: string | null | undefined;
      readonly photoUrl: string | null | undefined;
      readonly reason: {
        readonly id: string;
        readonly name: string;
      } | null | undefined;
      readonly sequence: string;
      readonly staffCategory: string;
      readonly staffId: string;
      readonly staffName: string;
      readonly staffPhotoUrl: string | null | undefined;
      readonly status: AttendanceStatus;
      readonly updatedAt: string | null | undefined;
      readonly updatedBy: string | null | undefined;
      readonly version: number;
    } | null | undefined;
    readonly errors: ReadonlyArray<{
      readonly code: ErrorCode;
      readonly current?: {
        readonly arrivedAt: string | null | undefined;
        readonly date: string;
        readonly feedCursor: string;
        readonly id: string;
        readonly isOnSite: boolean;
        readonly leftAt: string | null | undefined;
        readonly note: string | null | undefined;
        readonly photoUrl: string | null | undefined;
        readonly reason: {
          readonly id: string;
          readonly name: string;
        } | null | undefined;
        readonly sequence: string;
        readonly staffCategory: string;
        readonly staffId: string;
        readonly staffName: string;
        readonly staffPhotoUrl: string | null | undefined;
        readonly status: AttendanceStatus;
        readonly updatedAt: string | null | undefined;
        readonly updatedBy: string | null | undefined;
        readonly version: number;
      } | null | undefined;
      readonly message: string;
      readonly path: ReadonlyArray<string>;
    }>;
  } | null | undefined;
};
export type Mark = {
  response: Mark$data;
  variables: Mark$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "input"
  }
],
v1 = [
  {
    "kind": "Variable",
    "name": "input",
    "variableName": "input"
  }
],
v2 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "id",
  "storageKey": null
},
v3 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "date",
  "storageKey": null
},
v4 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "staffId",
  "storageKey": null
},
v5 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "staffName",
  "storageKey": null
},
v6 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "staffCategory",
  "storageKey": null
},
v7 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "staffPhotoUrl",
  "storageKey": null
},
v8 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "status",
  "storageKey": null
},
v9 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "note",
  "storageKey": null
},
v10 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "photoUrl",
  "storageKey": null
},
v11 = {
  "alias": null,
  "args": null,
  "concreteType": "Reason",
  "kind": "LinkedField",
  "name": "reason",
  "plural": false,
  "selections": [
    (v2/*:: as any*/),
    {
      "alias": null,
      "args": null,
      "kind": "ScalarField",
      "name": "name",
      "storageKey": null
    }
  ],
  "storageKey": null
},
v12 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "arrivedAt",
  "storageKey": null
},
v13 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "leftAt",
  "storageKey": null
},
v14 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "isOnSite",
  "storageKey": null
},
v15 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "updatedAt",
  "storageKey": null
},
v16 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "updatedBy",
  "storageKey": null
},
v17 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "version",
  "storageKey": null
},
v18 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "sequence",
  "storageKey": null
},
v19 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "feedCursor",
  "storageKey": null
},
v20 = {
  "alias": null,
  "args": null,
  "concreteType": "Attendance",
  "kind": "LinkedField",
  "name": "attendance",
  "plural": false,
  "selections": [
    (v2/*:: as any*/),
    (v3/*:: as any*/),
    (v4/*:: as any*/),
    (v5/*:: as any*/),
    (v6/*:: as any*/),
    (v7/*:: as any*/),
    (v8/*:: as any*/),
    (v9/*:: as any*/),
    (v10/*:: as any*/),
    (v11/*:: as any*/),
    (v12/*:: as any*/),
    (v13/*:: as any*/),
    (v14/*:: as any*/),
    (v15/*:: as any*/),
    (v16/*:: as any*/),
    (v17/*:: as any*/),
    (v18/*:: as any*/),
    (v19/*:: as any*/),
    {
      "alias": null,
      "args": null,
      "concreteType": "AttendanceDay",
      "kind": "LinkedField",
      "name": "day",
      "plural": false,
      "selections": [
        (v2/*:: as any*/),
        (v3/*:: as any*/),
        {
          "alias": null,
          "args": null,
          "kind": "ScalarField",
          "name": "state",
          "storageKey": null
        },
        {
          "alias": null,
          "args": null,
          "kind": "ScalarField",
          "name": "label",
          "storageKey": null
        },
        {
          "alias": null,
          "args": null,
          "kind": "ScalarField",
          "name": "isWorkingDay",
          "storageKey": null
        },
        {
          "alias": null,
          "args": null,
          "kind": "ScalarField",
          "name": "rosterVersion",
          "storageKey": null
        },
        (v18/*:: as any*/),
        {
          "alias": null,
          "args": null,
          "concreteType": "DaySummary",
          "kind": "LinkedField",
          "name": "summary",
          "plural": false,
          "selections": [
            (v2/*:: as any*/),
            {
              "alias": null,
              "args": null,
              "kind": "ScalarField",
              "name": "total",
              "storageKey": null
            },
            {
              "alias": null,
              "args": null,
              "kind": "ScalarField",
              "name": "unmarked",
              "storageKey": null
            },
            {
              "alias": null,
              "args": null,
              "kind": "ScalarField",
              "name": "present",
              "storageKey": null
            },
            {
              "alias": null,
              "args": null,
              "kind": "ScalarField",
              "name": "late",
              "storageKey": null
            },
            {
              "alias": null,
              "args": null,
              "kind": "ScalarField",
              "name": "halfDay",
              "storageKey": null
            },
            {
              "alias": null,
              "args": null,
              "kind": "ScalarField",
              "name": "remote",
              "storageKey": null
            },
            {
              "alias": null,
              "args": null,
              "kind": "ScalarField",
              "name": "onLeave",
              "storageKey": null
            },
            {
              "alias": null,
              "args": null,
              "kind": "ScalarField",
              "name": "absent",
              "storageKey": null
            },
            {
              "alias": null,
              "args": null,
              "kind": "ScalarField",
              "name": "presentRate",
              "storageKey": null
            },
            {
              "alias": null,
              "args": null,
              "kind": "ScalarField",
              "name": "onSite",
              "storageKey": null
            },
            (v18/*:: as any*/)
          ],
          "storageKey": null
        }
      ],
      "storageKey": null
    }
  ],
  "storageKey": null
},
v21 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "code",
  "storageKey": null
},
v22 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "message",
  "storageKey": null
},
v23 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "path",
  "storageKey": null
},
v24 = {
  "kind": "InlineFragment",
  "selections": [
    {
      "alias": null,
      "args": null,
      "concreteType": "Attendance",
      "kind": "LinkedField",
      "name": "current",
      "plural": false,
      "selections": [
        (v2/*:: as any*/),
        (v3/*:: as any*/),
        (v4/*:: as any*/),
        (v5/*:: as any*/),
        (v6/*:: as any*/),
        (v7/*:: as any*/),
        (v8/*:: as any*/),
        (v9/*:: as any*/),
        (v10/*:: as any*/),
        (v11/*:: as any*/),
        (v12/*:: as any*/),
        (v13/*:: as any*/),
        (v14/*:: as any*/),
        (v15/*:: as any*/),
        (v16/*:: as any*/),
        (v17/*:: as any*/),
        (v18/*:: as any*/),
        (v19/*:: as any*/)
      ],
      "storageKey": null
    }
  ],
  "type": "VersionConflictError",
  "abstractKey": null
};
return {
  "fragment": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "Mark",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": "UpdateAttendancePayload",
        "kind": "LinkedField",
        "name": "updateAttendance",
        "plural": false,
        "selections": [
          (v20/*:: as any*/),
          {
            "alias": null,
            "args": null,
            "concreteType": null,
            "kind": "LinkedField",
            "name": "errors",
            "plural": true,
            "selections": [
              (v21/*:: as any*/),
              (v22/*:: as any*/),
              (v23/*:: as any*/),
              (v24/*:: as any*/)
            ],
            "storageKey": null
          }
        ],
        "storageKey": null
      }
    ],
    "type": "Mutation",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Operation",
    "name": "Mark",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": "UpdateAttendancePayload",
        "kind": "LinkedField",
        "name": "updateAttendance",
        "plural": false,
        "selections": [
          (v20/*:: as any*/),
          {
            "alias": null,
            "args": null,
            "concreteType": null,
            "kind": "LinkedField",
            "name": "errors",
            "plural": true,
            "selections": [
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "__typename",
                "storageKey": null
              },
              (v21/*:: as any*/),
              (v22/*:: as any*/),
              (v23/*:: as any*/),
              (v24/*:: as any*/)
            ],
            "storageKey": null
          }
        ],
        "storageKey": null
      }
    ]
  },
  "params": {
    "cacheID": "024bcdf00f4f16754921d09942f60784",
    "id": null,
    "metadata": {},
    "name": "Mark",
    "operationKind": "mutation",
    "text": "mutation Mark(\n  $input: UpdateAttendanceInput!\n) {\n  updateAttendance(input: $input) {\n    attendance {\n      id\n      date\n      staffId\n      staffName\n      staffCategory\n      staffPhotoUrl\n      status\n      note\n      photoUrl\n      reason {\n        id\n        name\n      }\n      arrivedAt\n      leftAt\n      isOnSite\n      updatedAt\n      updatedBy\n      version\n      sequence\n      feedCursor\n      day {\n        id\n        date\n        state\n        label\n        isWorkingDay\n        rosterVersion\n        sequence\n        summary {\n          id\n          total\n          unmarked\n          present\n          late\n          halfDay\n          remote\n          onLeave\n          absent\n          presentRate\n          onSite\n          sequence\n        }\n      }\n    }\n    errors {\n      __typename\n      code\n      message\n      path\n      ... on VersionConflictError {\n        current {\n          id\n          date\n          staffId\n          staffName\n          staffCategory\n          staffPhotoUrl\n          status\n          note\n          photoUrl\n          reason {\n            id\n            name\n          }\n          arrivedAt\n          leftAt\n          isOnSite\n          updatedAt\n          updatedBy\n          version\n          sequence\n          feedCursor\n        }\n      }\n    }\n  }\n}\n"
  }
};
})();

(node as any).hash = "c0922bcd5a37799961a00a140e57f0d8";

export default node;
