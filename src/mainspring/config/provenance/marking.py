"""Set marks while a Python config runs.

The code of the file is compiled with small calls around whatever makes or changes a dict, list or
recorded call, so that what really ran says where its values come from. Values and types stay what
plain Python gives; instructions keep their lines and columns. Four words are put among the
builtins of the file: ``__made__`` takes a new value, ``__source__`` what such a value is made of,
``__stores__`` that of which a key is about to be set, ``__binds__`` what variables get.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mainspring.config.provenance.instrument import EACH, WORDS, Site
from mainspring.config.provenance.marks import (
    Mark,
    MarkedText,
    Session,
    Spot,
    carry,
    current_session,
    overlay,
    session,
)
from mainspring.registry.recorded import POSITIONAL_KEY

__all__ = ["Marker"]

_SCALARS = (bool, int, float, str, bytes, type(None))


class Marker:
    """Takes what a file reports while it runs.

    Args:
        sites: Its sites.
        names: Its global names.
        text: Its text.
    """

    def __init__(self, sites: Sequence[Site], names: dict[str, Any], text: MarkedText) -> None:
        self.sites = sites
        self.names = names
        self.text = text
        self.imported: dict[Any, Mark] = {}

    @property
    def words(self) -> dict[str, Callable[..., Any]]:
        """The builtins that the code of the file needs."""
        return {word: getattr(self, word.strip("_")) for word in WORDS}

    def give_marks(self, names: dict[str, Any]) -> None:
        """Give a copy of the names their marks, as the file leaves them."""
        with session() as current:
            _settle(current)
            current.keep(names, current.marks(self.names).copy())

    def take_over(self, theirs: dict[Any, Mark]) -> None:
        """Take the marks of the names of a base that are public."""
        with session() as current:
            public = {name: mark for name, mark in theirs.items() if not name.startswith("_")}
            current.marks(self.names).keys.update(public)

    # What the code of the file calls

    def source(self, value: Any) -> Any:
        """Take something that the next value is made of."""
        current = current_session()
        if current is not None:
            _settle(current)
            current.sources.append(value)
        return value

    def stores(self, number: int, value: Any) -> Any:
        """Take a part of which an attribute, or the key of which an item, is about to be set."""
        current = current_session()
        if current is not None:
            site = self.sites[number]
            part, key = (value, site.word) if site.word else (current.take(1)[0], value)
            _settle(current)
            _expect(current, _edited(part), key, site.where)
        return value

    def binds(self, number: int, value: Any) -> Any:
        """Take a value that variables are about to get."""
        current = current_session()
        if current is not None:
            _settle(current)
            site = self.sites[number]
            added = current.items(value) if site.word == "+=" else []
            for name, spot in site.keys.items():
                _expect(current, self.names, name, spot, added)
            for name, bound in site.imports:
                if name == "*":
                    self.take_over(self.imported)
                elif name in self.imported:
                    current.marks(self.names).keys[bound] = self.imported[name]
            if site.imports:
                self.imported = {}
        return value

    def made(self, number: int, value: Any) -> Any:
        """Take a value that was just made, or that a change has returned."""
        current = current_session()
        if current is None:
            return value
        _settle(current)
        site = self.sites[number]
        sources = current.take(site.sources)
        if site.word.startswith("."):
            _change(site, _edited(sources[0]), sources[1:], current)
        elif isinstance(value, dict) and value is not self.names:
            _mark_dict(site, value, sources, current)
        elif type(value) in (list, tuple) and value:
            return _mark_list(site, value, sources, current)
        return value


def _expect(current: Session, part: Any, key: Any, spot: Spot, added: Sequence[Spot] = ()) -> None:
    """Note that a key is about to be set."""
    old = dict.get(part, key) if isinstance(part, dict) else None
    current.pending.append((part, key, spot, old, added))


def _settle(current: Session) -> None:
    """Mark what was stored since the last report."""
    pending, current.pending = current.pending, []
    for part, key, spot, old, added in pending:
        if isinstance(part, dict) and not dict.__contains__(part, key):
            current.pending.append((part, key, spot, old, added))  # the next target of `a = b = 1`
        elif isinstance(part, dict):
            current.marks(part).set(key, Mark(spot), old)
            if added:
                current.keep(dict.__getitem__(part, key), [*current.items(old), *added])
        elif type(part) is list:
            current.keep(part, [spot, *current.items(part)])


def _mark_dict(site: Site, value: dict[Any, Any], sources: Sequence[Any], current: Session) -> None:
    """Mark the keys of a dict, or of a recorded call, as far as they have no marks."""
    marks = current.marks(value)
    if len(marks.keys) >= dict.__len__(value):
        return
    marks.where = marks.where or site.where
    for key in dict.keys(value):
        if key in marks.keys:
            continue
        item = dict.__getitem__(value, key)
        spot = site.keys.get(key)
        later = sources[len(sources) - site.after.get(key, 0) :] if spot else sources
        source = next((s for s in reversed(later) if _gives(s, key, item)), None)
        if source is not None:
            overlay(value, key, source)
            _mirror(dict.__getitem__(source, key), item, current)
            continue
        if spot is None and site.word == EACH:
            spot = site.items[0]
        elif spot is None and key == "type":
            spot = site.target
        elif key == POSITIONAL_KEY and isinstance(item, list):
            spots = _spots(site, sources, current)
            current.keep(item, spots)
            spot = Spot(spots[0].text, spots[0].line, spots[0].offset) if spots else None
        if spot is not None:
            marks.keys[key] = Mark(spot)


def _spots(site: Site, sources: Sequence[Any], current: Session) -> list[Spot]:
    """The places of the items of a display, or of positional arguments."""
    unpacked = iter(sources)
    parts = ([s] if s is not None else current.items(next(unpacked, ())) for s in site.items)
    return [spot for part in parts for spot in part]


def _mark_list(site: Site, value: Any, sources: Sequence[Any], current: Session) -> Any:
    """Mark the items of a list or tuple; returns it, or a copy that can have marks."""
    is_display = bool(site.items) and site.word in ("", EACH)
    if id(value) in current.kept:
        if type(value) is list or not is_display:
            return value
        value = (*list(value),)  # a constant, which another line may share
    if is_display:
        spots = _spots(site, sources, current)
        current.keep(value, spots * len(value) if site.word == EACH else spots)
        return value
    for source in sources:
        _mirror(source, value, current)
    current.keep(value, [spot for source in sources for spot in current.items(source)])
    return value


def _change(site: Site, part: Any, sources: Sequence[Any], current: Session) -> None:
    """Mark what a method has changed."""
    if isinstance(part, list):
        more = site.items[-1:] if site.word in (".append", ".insert") else []
        added = [spot for source in sources for spot in current.items(source)]
        current.keep(part, [*current.items(part), *(s for s in more if s is not None), *added])
    elif isinstance(part, dict):
        keys = {number: key for key, number in site.after.items()}
        for number, source in enumerate(sources):
            changed = dict.get(part, keys[number]) if number in keys else part
            if isinstance(source, dict) and isinstance(changed, dict):
                _follow(changed, source)
        marks = current.marks(part)
        for key, spot in site.keys.items():
            is_new = site.word != ".setdefault" or key not in marks.keys
            if is_new and dict.__contains__(part, key):
                marks.set(key, Mark(spot), dict.__getitem__(part, key))


def _edited(part: Any) -> Any:
    """The part that `edit` changes; another one is returned."""
    slot = None if isinstance(part, dict | list) else getattr(type(part), "_part", None)
    return part if slot is None else slot.__get__(part)


def _gives(source: Any, key: Any, item: Any) -> bool:
    """Whether an item of a dict comes from another one, of which it is made."""
    if not isinstance(source, dict) or not dict.__contains__(source, key):
        return False
    theirs = dict.__getitem__(source, key)
    return theirs is item or type(item) not in _SCALARS or bool(theirs == item)


def _follow(part: dict[Any, Any], source: dict[Any, Any]) -> None:
    """Mark what a dict got from another one by which it was updated."""
    for key, theirs in dict.items(source):
        ours = dict.get(part, key)
        if isinstance(ours, dict) and isinstance(theirs, dict) and ours is not theirs:
            _follow(ours, theirs)
        overlay(part, key, source, ours)


def _mirror(old: Any, new: Any, current: Session) -> None:
    """Give a deep copy of plain dicts and lists the marks of the original."""
    if type(old) is not type(new) or new is old or id(new) in current.kept:
        return
    if type(new) is dict:
        carry(old, new)
        pairs = [(old[key], new[key]) for key in new if key in old]
    elif type(new) in (list, tuple):
        carry(old, new)
        pairs = list(zip(old, new, strict=False))
    else:
        return
    for one, other in pairs:
        _mirror(one, other, current)
