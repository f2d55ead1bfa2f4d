/**
 * @generated SignedSource<<402a7d88e47322576f3809af8022ffca>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
export type AttendanceStatus = "ABSENT" | "HALF_DAY" | "LATE" | "ON_LEAVE" | "PRESENT" | "REMOTE" | "UNMARKED" | "%future added value";
export type DayState = "LOCKED" | "OPEN" | "%future added value";
export type Changes$variables = {
  after?: string | null | undefined;
  date: string;
};
export type Changes$data = {
  readonly attendanceUpdated: {
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
  };
};
export type Changes = {
  response: Changes$data;
  variables: Changes$variables;
};

const node: ConcreteRequest = (function(){
var v0 = {
  "defaultValue": null,
  "kind": "LocalArgument",
  "name": "after"
},
v1 = {
  "defaultValue": null,
  "kind": "LocalArgument",
  "name": "date"
},
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
  "name": "sequence",
  "storageKey": null
},
v5 = [
  {
    "alias": null,
    "args": [
      {
        "kind": "Variable",
        "name": "after",
        "variableName": "after"
      },
      {
        "kind": "Variable",
        "name": "date",
        "variableName": "date"
      }
    ],
    "concreteType": "Attendance",
    "kind": "LinkedField",
    "name": "attendanceUpdated",
    "plural": false,
    "selections": [
      (v2/*:: as any*/),
      (v3/*:: as any*/),
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "staffId",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "staffName",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "staffCategory",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "staffPhotoUrl",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "status",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "note",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "photoUrl",
        "storageKey": null
      },
      {
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
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "arrivedAt",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "leftAt",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "isOnSite",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "updatedAt",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "updatedBy",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "version",
        "storageKey": null
      },
      (v4/*:: as any*/),
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "feedCursor",
        "storageKey": null
      },
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
          (v4/*:: as any*/),
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
              (v4/*:: as any*/)
            ],
            "storageKey": null
          }
        ],
        "storageKey": null
      }
    ],
    "storageKey": null
  }
];
return {
  "fragment": {
    "argumentDefinitions": [
      (v0/*:: as any*/),
      (v1/*:: as any*/)
    ],
    "kind": "Fragment",
    "metadata": null,
    "name": "Changes",
    "selections": (v5/*:: as any*/),
    "type": "Subscription",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": [
      (v1/*:: as any*/),
      (v0/*:: as any*/)
    ],
    "kind": "Operation",
    "name": "Changes",
    "selections": (v5/*:: as any*/)
  },
  "params": {
    "cacheID": "e90d5ede27b5328c204d4026da7f31f6",
    "id": null,
    "metadata": {},
    "name": "Changes",
    "operationKind": "subscription",
    "text": "subscription Changes(\n  $date: Date!\n  $after: String\n) {\n  attendanceUpdated(date: $date, after: $after) {\n    id\n    date\n    staffId\n    staffName\n    staffCategory\n    staffPhotoUrl\n    status\n    note\n    photoUrl\n    reason {\n      id\n      name\n    }\n    arrivedAt\n    leftAt\n    isOnSite\n    updatedAt\n    updatedBy\n    version\n    sequence\n    feedCursor\n    day {\n      id\n      date\n      state\n      label\n      isWorkingDay\n      rosterVersion\n      sequence\n      summary {\n        id\n        total\n        unmarked\n        present\n        late\n        halfDay\n        remote\n        onLeave\n        absent\n        presentRate\n        onSite\n        sequence\n      }\n    }\n  }\n}\n"
  }
};
})();

(node as any).hash = "637c150a11f436690c929a51ed71ab66";

export default node;
