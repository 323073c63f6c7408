"""The fields of a JSON body, read strictly: nothing is taken for what it only looks like."""

from collections.abc import Callable, Mapping
from heapq import nsmallest
from typing import Any, ClassVar, Final, TypeVar

from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request

from relaybase.http.parameters import Parameters
from relaybase.http.problems import MOST_FIELDS

Row = TypeVar("Row")

_MOST_OF_A_NAME: Final = 100


class Strict(serializers.Serializer):  # type: ignore[type-arg]
    """Refuses fields that it does not know: a misspelt option must not be taken for its default."""

    def to_internal_value(self, data: Any) -> Any:
        """Validate."""
        if isinstance(data, Mapping) and (unknown := set(data) - set(self.fields)):
            raise serializers.ValidationError(self._refusal(unknown))
        return super().to_internal_value(data)

    def _refusal(self, unknown: set[str]) -> dict[str, list[str]]:
        """Not of all of them: there may be a hundred thousand, and REST framework copies each error."""
        known = ", ".join(self.fields)
        named = nsmallest(MOST_FIELDS - 1, unknown)
        refusal = {name[:_MOST_OF_A_NAME]: [f"Unknown; there are: {known}."] for name in named}
        if more := len(unknown) - len(named):
            refusal["non_field_errors"] = [f"And {more} more that are unknown."]
        return refusal


class Text(serializers.CharField):
    """Text that is text already: the stock field makes it of numbers, and strips it."""

    def to_internal_value(self, data: Any) -> str:
        """Validate."""
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class Whole(serializers.IntegerField):
    """A whole number; not a text that looks like one."""

    def to_internal_value(self, data: Any) -> int:
        """Validate."""
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.Field):  # type: ignore[type-arg]
    """true or false; not a text or a number that looks like it."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": "Must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        """Validate."""
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


def decided(
    view: GenericAPIView,  # type: ignore[type-arg]
    request: Request,
    find: Callable[[], Row],
) -> tuple[Row, Any]:
    """What is found, and what the body says: the beginning of all that decides something about one row.

    Nothing is said of a body before it is known that he may.

    find: the row that the address names, for whoever may decide about it; raises what it raises

    Raises:
        ParseError, ValidationError: the query or the body is not one that this view takes.
    """
    Parameters(request)
    row = find()
    asked = view.get_serializer(row, data=request.data)
    asked.is_valid(raise_exception=True)
    return row, asked.validated_data
