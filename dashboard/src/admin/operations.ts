import { graphql } from "../gql";

export const StaffFields = graphql(`
  fragment StaffFields on Staff {
    id
    name
    category
    externalRef
    photoUrl
    startsOn
    endsOn
    version
  }
`);

export const StaffPage = graphql(`
  query StaffPage($after: String, $filter: StaffFilter) {
    staff(first: 50, after: $after, filter: $filter) {
      totalCount
      pageInfo {
        hasNextPage
        endCursor
      }
      edges {
        node {
          ...StaffFields
        }
      }
    }
  }
`);

export const CreateStaff = graphql(`
  mutation CreateStaff($input: CreateStaffInput!) {
    createStaff(input: $input) {
      staff {
        ...StaffFields
      }
      errors {
        message
      }
    }
  }
`);

export const UpdateStaff = graphql(`
  mutation UpdateStaff($input: UpdateStaffInput!) {
    updateStaff(input: $input) {
      staff {
        ...StaffFields
      }
      errors {
        message
      }
    }
  }
`);

export const AccountFields = graphql(`
  fragment AccountFields on Account {
    id
    email
    displayName
    role
    issuer
    isDisabled
    createdAt
  }
`);

export const AccountsPage = graphql(`
  query AccountsPage($after: String, $search: String) {
    accounts(first: 50, after: $after, search: $search) {
      totalCount
      pageInfo {
        hasNextPage
        endCursor
      }
      edges {
        node {
          ...AccountFields
        }
      }
    }
  }
`);

export const CreateAccount = graphql(`
  mutation CreateAccount($input: CreateAccountInput!) {
    createAccount(input: $input) {
      account {
        ...AccountFields
      }
      errors {
        message
      }
    }
  }
`);

export const UpdateAccount = graphql(`
  mutation UpdateAccount($input: UpdateAccountInput!) {
    updateAccount(input: $input) {
      account {
        ...AccountFields
      }
      errors {
        message
      }
    }
  }
`);

/** With `dryRun` it returns what would change, and changes nothing. */
export const ImportStaff = graphql(`
  mutation ImportStaff($input: ImportStaffInput!) {
    importStaff(input: $input) {
      created
      updated
      unchanged
      changes {
        row
        action
        name
        fields
      }
      errors {
        message
        path
      }
    }
  }
`);
