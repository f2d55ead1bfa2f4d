"""oneOf inputs as the specification of September 2025 has them: exactly one key, and its value is not null."""

from __future__ import annotations

from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    NonNullTypeNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValidationContext,
    ValidationRule,
    VariableNode,
    get_named_type,
    is_input_object_type,
    print_ast,
)

from memberstaff.engine.fast_completion import DEFINITION


def mark_one_of(schema: GraphQLSchema) -> None:
    """Have graphql-core validate, coerce and describe oneOf inputs, of which Strawberry does not tell it.

    Strawberry's own introspection of them fails for types that are wrapped in a list or in non-null.
    """
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            definition = type_.extensions.get(DEFINITION)
            type_.is_one_of = definition is not None and definition.is_one_of
    introspected = schema.type_map["__Type"]
    assert isinstance(introspected, GraphQLObjectType)
    introspected.fields["isOneOf"].resolve = lambda type_, _: getattr(type_, "is_one_of", None)


class OneOfVariables(ValidationRule):
    """The variable of a oneOf input's field is non-null.

    graphql-core's VariablesInAllowedPosition says so only where the input itself may be null, and is no list's item.
    Strawberry's rule raises KeyError for an unknown variable.
    """

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._of: dict[int, GraphQLInputObjectType] = {}
        """The oneOf input of each variable that is a value of its field, by the id of its node."""

    def enter_object_value(self, node: ObjectValueNode, *_: Any) -> None:
        type_ = get_named_type(self.context.get_input_type())
        if isinstance(type_, GraphQLInputObjectType) and type_.is_one_of:
            values = (field.value for field in node.fields)
            self._of.update((id(value), type_) for value in values if isinstance(value, VariableNode))

    def leave_document(self, node: DocumentNode, *_: Any) -> None:
        for operation in node.definitions if self._of else ():
            if isinstance(operation, OperationDefinitionNode):
                self._check(operation)

    def _check(self, operation: OperationDefinitionNode) -> None:
        definitions = {each.variable.name.value: each for each in operation.variable_definitions or ()}
        for usage in self.context.get_recursive_variable_usages(operation):
            definition = definitions.get(usage.node.name.value)
            type_ = self._of.get(id(usage.node))
            if definition is None or type_ is None or isinstance(definition.type, NonNullTypeNode):
                continue
            if not is_input_object_type(usage.parent_type):
                why = f"is of type '{print_ast(definition.type)}' but must be non-nullable"
                message = f"Variable '${usage.node.name.value}' {why} to be used for OneOf Input Object '{type_}'."
                self.report_error(GraphQLError(message, [definition, usage.node]))
