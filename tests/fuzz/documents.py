"""GraphQL documents over the schema: valid ones, nearly valid ones, and the extremes."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLUnionType,
    Lexer,
    Source,
    TokenKind,
    is_composite_type,
    is_required_argument,
    is_required_input_field,
)
from graphql.error import GraphQLSyntaxError

from tests.fuzz.cases import World
from tests.fuzz.mutation import FLOATS, INTEGERS, TEXTS, any_value, one_of

Operation = tuple[str, dict[str, Any]]
"""A document and its variables."""

DEEPEST = 6


@dataclass
class _Draft:
    """An operation as it is being written."""

    random: Random
    world: World
    variables: dict[str, Any] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    fragments: list[str] = field(default_factory=list)


class Documents:
    """Writes operations that the schema allows, as far as values can be guessed."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.schema = schema

    def operation(self, random: Random, world: World) -> Operation:
        """A query, mutation or subscription."""
        draft = _Draft(random, world)
        kind, root = one_of(
            random,
            [
                *[("query", self.schema.query_type)] * 5,
                *[("mutation", self.schema.mutation_type)] * 4,
                ("subscription", self.schema.subscription_type),
            ],
        )
        body = self._selection(draft, root, depth=0, most=1 if kind == "subscription" else 3)
        declared = f"({', '.join(draft.declared)})" if draft.declared else ""
        return " ".join([f"{kind} Q{declared} {body}", *draft.fragments]), draft.variables

    def _selection(self, draft: _Draft, of: Any, depth: int, most: int = 5) -> str:
        random = draft.random
        if isinstance(of, GraphQLUnionType) or (isinstance(of, GraphQLInterfaceType) and random.random() < 0.7):
            inner = one_of(random, self.schema.get_possible_types(of))
            return f"{{ __typename ... on {inner.name} {self._selection(draft, inner, depth + 1)} }}"
        leaves = [name for name, each in of.fields.items() if not is_composite_type(_named(each.type))]
        names = list(of.fields) if depth < DEEPEST else leaves
        chosen = [one_of(random, names) for _ in range(1 + random.randrange(most))]
        words = [self._field(draft, name, of.fields[name], depth) for name in chosen if name is not None]
        if random.random() < 0.1 and depth > 0:
            words.append("__typename")
        if random.random() < 0.08 and depth > 0 and words:
            draft.fragments.append(f"fragment F{len(draft.fragments)} on {of.name} {{ {' '.join(words)} }}")
            words = [f"...F{len(draft.fragments) - 1}"]
        return f"{{ {' '.join(words) or '__typename'} }}"

    def _field(self, draft: _Draft, name: str, of: GraphQLField, depth: int) -> str:
        random = draft.random
        alias = f"{one_of(random, ('a', 'b', '_x'))}{len(draft.declared)}: " if random.random() < 0.15 else ""
        required = {each for each, argument in of.args.items() if _is_required(argument)}
        given = [each for each in of.args if each in required or random.random() < 0.6]
        arguments = [f"{each}: {self._argument(draft, of.args[each])}" for each in given]
        directive = one_of(random, ("@include(if: true)", "@skip(if: false)", "@skip(if: true)"))
        listed = f"({', '.join(arguments)})" if arguments else ""
        words = [
            f"{alias}{name}{listed}",
            directive if random.random() < 0.05 else "",
        ]
        inner = _named(of.type)
        if is_composite_type(inner):
            words.append(self._selection(draft, inner, depth + 1))
        return " ".join(filter(None, words))

    def _argument(self, draft: _Draft, of: GraphQLArgument) -> str:
        value = self._value(draft, of.type)
        if draft.random.random() < 0.5:
            name = f"v{len(draft.declared)}"
            draft.declared.append(f"${name}: {of.type}")
            draft.variables[name] = value
            return f"${name}"
        return literal(value)

    def _value(self, draft: _Draft, of: Any) -> Any:
        """As it stands in variables; an enum's value is an `Enum`."""
        random, world = draft.random, draft.world
        if isinstance(of, GraphQLNonNull):
            of = of.of_type
        elif random.random() < 0.15:
            return None
        if isinstance(of, GraphQLList):
            return [self._value(draft, of.of_type) for _ in range((0, 1, 1, 2, 3, 30)[random.randrange(6)])]
        if isinstance(of, GraphQLEnumType):
            return Enum(one_of(random, [*of.values, *of.values, "NONE"]))
        if isinstance(of, GraphQLInputObjectType):
            fields = dict(of.fields)
            if of.is_one_of:
                fields = {each: fields[each] for each in [one_of(random, list(fields))]}
            kept = [each for each, its in fields.items() if of.is_one_of or _is_required(its) or random.random() < 0.5]
            return {each: self._value(draft, fields[each].type) for each in kept}
        usual: dict[str, Any] = {
            "ID": one_of(random, world.ids),
            "Int": one_of(random, (1, 2, 10, 100)),
            "Float": one_of(random, FLOATS),
            "Boolean": random.random() < 0.5,
            "Date": one_of(random, world.dates),
            "URL": "/avatars/amina.svg",
            "String": one_of(random, ("Amina", "a", "note", world.cursor, world.password, *world.emails.values())),
        }
        unusual = {"Int": one_of(random, INTEGERS), "ID": one_of(random, TEXTS), "String": one_of(random, TEXTS)}
        known = usual.get(of.name, usual["String"])
        return unusual.get(of.name, known) if random.random() < 0.25 else known


class Enum(str):
    """A text that stands in a document without quotes."""

    __slots__ = ()


def literal(value: Any) -> str:
    """A value as it stands in a document."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, str):
        kept = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        return (
            '"' + "".join(each if each >= " " and each not in '"\\' else f"\\u{ord(each):04x}" for each in kept) + '"'
        )
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {literal(each)}' for name, each in value.items())}}}"
    return str(value)


WORDS = (
    *("{", "}", "(", ")", "[", "]", ":", "=", "!", "|", "&", "@", "$", "...", ",", "#", '"""', '"', "\\", "\ufeff"),
    *("query", "mutation", "subscription", "fragment", "on", "null", "true", "type", "extend", "schema", "input"),
    *("@include(if: true)", "@skip(if: $v0)", "@deprecated", "@defer", "@stream", "@oneOf", "$v0", "__typename", "id"),
    *("1e999", "-0", "00", "1.", str(10**50), '"\\uD800"', '"\\u{110000}"', '"\0"', '"""\\"""', "é", "…F"),
)


def spoil(random: Random, document: str) -> str:
    """A document of which one or more tokens were removed, repeated, swapped or replaced."""
    tokens = _tokens(document)
    for _ in range((1, 1, 2, 5)[random.randrange(4)]):
        how, word = random.randrange(5), one_of(random, WORDS)
        first, second = int(random.random() * len(tokens)), int(random.random() * len(tokens))
        if not tokens:
            tokens = [word]
        elif how == 0:
            del tokens[first]
        elif how == 1:
            tokens.insert(first, tokens[second])
        elif how == 2:
            tokens[first], tokens[second] = tokens[second], tokens[first]
        elif how == 3:
            tokens[first] = word
        else:
            tokens.insert(first, word)
    return " ".join(tokens)


def _tokens(document: str) -> list[str]:
    lexer, found = Lexer(Source(document)), []
    try:
        while (token := lexer.advance()).kind is not TokenKind.EOF:
            found.append(document[token.start : token.end])
    except GraphQLSyntaxError:
        found.append(document[lexer.token.end :])
    return found


def extreme(random: Random) -> Operation:
    """A document at a bound, or far beyond it."""
    number = int(10 ** (1 + 2.7 * random.random()))
    doubling = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(min(number, 60)))
    circle = " ".join(f"fragment F{n} on Query {{ ...F{(n + 1) % number} }}" for n in range(number))
    record = "{ day { records(first: 100) { edges { node " * min(number, 40)
    documents = (
        "{ a " * number,
        "{ viewer " * number + "{ id }" + " }" * number,
        "{ " + " ".join(f"a{n}: viewer {{ id }}" for n in range(number)) + " }",
        "{ " + " ".join("viewer { " + "id " * 60 + "}" for _ in range(min(number, 40))) + " }",
        "{ viewer { id " + "@include(if: true) " * number + "} }",
        "{ viewer { id " + " ".join(f"@x{n}" for n in range(number)) + " } }",
        "{ ...F0 } " + doubling + f" fragment F{min(number, 60)} on Query {{ viewer {{ id }} }}",
        "{ ...F0 } " + circle,
        f"query ({' '.join(f'$v{n}: Int = {n}' for n in range(number))}) {{ viewer {{ id }} }}",
        f"query ($v: {'[' * number}Int{']' * number}) {{ viewer {{ id }} }}",
        f"{{ staff(filter: {{ categories: {'[' * number}{']' * number} }}) {{ totalCount }} }}",
        f'{{ staff(filter: {{ search: "{"x" * number}" }}) {{ totalCount }} }}',
        f'{{ staff(filter: {{ search: """{"y" * number}""" }}) {{ totalCount }} }}',
        f"{{ staff(first: {'9' * number}) {{ totalCount }} }}",
        f"{{ attendanceDay {{ records(first: 1000) {{ edges {{ node {record} {{ id }} }} }} }} }}",
        " ".join(f"query Q{n} {{ viewer {{ id }} }}" for n in range(number)),
        "subscription { " + "a: attendanceDayUpdated { state } " * 2 + "}",
        "subscription { __typename }",
        "{ __schema { types { name fields { name type { name ofType { name ofType { name } } } } } } }",
        "{ __schema { " + "types { fields { type { " * min(number, 60) + "name" + " } } }" * min(number, 60) + " } }",
        '{ __type(name: "Account") { fields { name } } }',
        "{ _service { sdl } _entities(representations: []) { __typename } }",
        "#" * number,
        "," * number + "{ viewer { id } }",
        "\ufeff{ viewer { id } }",
        "query ($v: Boolean!) { viewer { id @include(if: $v) ... @skip(if: $v) { role } } }",
        "{ node(id: {}) { id } }",
        "type Query { a: Int } extend schema @link(url: 1)",
    )
    document = documents[random.randrange(len(documents))]
    return document, {"v": any_value(random)}


def _named(of: Any) -> Any:
    while isinstance(of, GraphQLNonNull | GraphQLList):
        of = of.of_type
    return of


def _is_required(of: GraphQLArgument | GraphQLInputField) -> bool:
    return is_required_argument(of) if isinstance(of, GraphQLArgument) else is_required_input_field(of)
