/**
 * @generated SignedSource<<cbfab238f7ab4022d80e2613b2acef10>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
export type DayState = "LOCKED" | "OPEN" | "%future added value";
export type State$variables = {
  date: string;
};
export type State$data = {
  readonly attendanceDayUpdated: {
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
};
export type State = {
  response: State$data;
  variables: State$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "date"
  }
],
v1 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "id",
  "storageKey": null
},
v2 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "sequence",
  "storageKey": null
},
v3 = [
  {
    "alias": null,
    "args": [
      {
        "kind": "Variable",
        "name": "date",
        "variableName": "date"
      }
    ],
    "concreteType": "AttendanceDay",
    "kind": "LinkedField",
    "name": "attendanceDayUpdated",
    "plural": false,
    "selections": [
      (v1/*:: as any*/),
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "date",
        "storageKey": null
      },
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
      (v2/*:: as any*/),
      {
        "alias": null,
        "args": null,
        "concreteType": "DaySummary",
        "kind": "LinkedField",
        "name": "summary",
        "plural": false,
        "selections": [
          (v1/*:: as any*/),
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
          (v2/*:: as any*/)
        ],
        "storageKey": null
      }
    ],
    "storageKey": null
  }
];
return {
  "fragment": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "State",
    "selections": (v3/*:: as any*/),
    "type": "Subscription",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Operation",
    "name": "State",
    "selections": (v3/*:: as any*/)
  },
  "params": {
    "cacheID": "48dcd679e1dd72b7c6d10788c2bab65c",
    "id": null,
    "metadata": {},
    "name": "State",
    "operationKind": "subscription",
    "text": "subscription State(\n  $date: Date!\n) {\n  attendanceDayUpdated(date: $date) {\n    id\n    date\n    state\n    label\n    isWorkingDay\n    rosterVersion\n    sequence\n    summary {\n      id\n      total\n      unmarked\n      present\n      late\n      halfDay\n      remote\n      onLeave\n      absent\n      presentRate\n      onSite\n      sequence\n    }\n  }\n}\n"
  }
};
})();

(node as any).hash = "d3a5a9da959e6e06a92ca809c1bcf9cb";

export default node;
