"""Pages of long lists in the admin: the keys of a page are looked for first, its rows afterwards.

A page far down is reached by counting off what is before it. PostgreSQL makes each of those rows whole,
with what is asked for beside its columns, only to leave it out; of keys alone that is several times cheaper.
"""

from typing import Any

from django.core.paginator import Page, Paginator
from django.utils.functional import cached_property


class LongListPaginator(Paginator):  # type: ignore[type-arg]
    """Django's own for a query set with a total order, with less to do for a search and far down."""

    object_list: Any  # A query set. Not every list has keys.

    @cached_property
    def _first(self) -> list[Any]:
        """The keys of the first page, and one more if there is another."""
        return list(self._keys(self.object_list)[: self.per_page + 1])

    @cached_property
    def count(self) -> int:
        """How many there are. What fits into a page is not looked for twice."""
        if len(self._first) <= self.per_page:
            return len(self._first)
        return int(self.object_list.count())

    def page(self, number: int | str) -> Page[Any]:
        """One page. In the second half it is counted off from the end.

        Raises:
            django.core.paginator.InvalidPage: there is no such page.
        """
        number = self.validate_number(number)
        begin = (number - 1) * self.per_page
        end = min(begin + self.per_page, self.count)
        if number == 1:
            keys = self._first[: self.per_page]
        elif 2 * begin < self.count:
            keys = list(self._keys(self.object_list)[begin:end])
        else:
            keys = list(self._keys(self.object_list.reverse())[self.count - end : self.count - begin])
        return Page(self.object_list.filter(pk__in=keys), int(number), self)

    @staticmethod
    def _keys(rows: Any) -> Any:
        return rows.values_list("pk", flat=True)
