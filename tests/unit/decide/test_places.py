"""Which route is found, against an oracle that looks at all of them one after another."""

from hypothesis import given
from hypothesis import strategies as st

from dayfly.decide.places import Found, Places, Rule, find

SEGMENTS = st.sampled_from([b"a", b"b", b"ab", b"c"])
PATHS = st.builds(
    lambda parts, tail: b"/" + b"/".join(parts) + (b"/" if tail and parts else b""),
    st.lists(SEGMENTS, max_size=4),
    st.booleans(),
)
PREFIXES = st.builds(lambda parts: b"".join(b"/" + part for part in parts), st.lists(SEGMENTS, max_size=3))
METHODS = st.lists(st.sampled_from([b"GET", b"POST", b"HEAD"]), unique=True, max_size=2).map(tuple)
ASKED = st.sampled_from([b"GET", b"POST", b"HEAD", b"PUT"])
HOSTS = st.sampled_from([b"x.example.org", b"y.example.org", b"*.example.org", b"example.org"])
NAMES = st.sampled_from([b"x.example.org", b"y.example.org", b"z.example.org", b"z.x.example.org", b"example.org", b""])
PLACES = st.one_of(st.tuples(PATHS, st.just(False)), st.tuples(PREFIXES, st.just(True)))


@st.composite
def tables(draw: st.DrawFn) -> dict[bytes, list[Rule[int]]]:
    """Draw routes by host, of which no two have the same place and method."""
    table: dict[bytes, list[Rule[int]]] = {}
    taken: set[object] = set()
    for number, (host, (path, is_prefix), methods) in enumerate(draw(st.lists(st.tuples(HOSTS, PLACES, METHODS)))):
        wants = {(host, path, is_prefix, method) for method in methods or (b"",)}
        if not wants & taken:
            taken |= wants
            table.setdefault(host, []).append(Rule(path, is_prefix, methods, number))
    return table


def fits(rule: Rule[int], path: bytes) -> bool:
    if not rule.is_prefix:
        return path == rule.path
    return path == rule.path or path.startswith(rule.path + b"/")


def oracle(table: dict[bytes, list[Rule[int]]], host: bytes, path: bytes, method: bytes) -> object:
    """Look at every route; the host, then the path, then the method decides."""
    label, _, rest = host.partition(b".")
    for name in [host, *([b"*." + rest] if label and rest else [])]:
        here = [rule for rule in table.get(name, ()) if fits(rule, path)]
        if not here:
            continue
        best = max(here, key=lambda rule: (not rule.is_prefix, len(rule.path)))
        same = [rule for rule in here if (rule.path, rule.is_prefix) == (best.path, best.is_prefix)]
        for wanted in [method, *([b"GET"] if method == b"HEAD" else [])]:
            for rule in same:
                if wanted in rule.methods:
                    return rule.value
        for rule in same:
            if not rule.methods:
                return rule.value
        return "wrong method"
    return None


def asked(table: dict[bytes, list[Rule[int]]], host: bytes, path: bytes, method: bytes) -> object:
    found = find({name: Places(rules) for name, rules in table.items()}, host, path, method)
    if found is None:
        return None
    return "wrong method" if found.value is None else found.value


@given(tables(), NAMES, PATHS, ASKED)
def test_the_compiled_table_finds_what_looking_at_all_of_them_finds(
    table: dict[bytes, list[Rule[int]]], host: bytes, path: bytes, method: bytes
) -> None:
    assert asked(table, host, path, method) == oracle(table, host, path, method)


@given(tables(), NAMES, PATHS, ASKED, st.randoms())
def test_the_order_in_which_routes_were_made_means_nothing(
    table: dict[bytes, list[Rule[int]]], host: bytes, path: bytes, method: bytes, chance: object
) -> None:
    mixed = {name: list(reversed(rules)) for name, rules in table.items()}
    chance.shuffle(mixed[next(iter(mixed))]) if mixed else None  # type: ignore[attr-defined] # a random.Random
    assert asked(mixed, host, path, method) == asked(table, host, path, method)


def test_a_prefix_ends_where_a_segment_does() -> None:
    places = Places([Rule(b"/a", True, (), 1)])
    assert [places.find(path, b"GET") for path in (b"/a", b"/a/", b"/a/b", b"/ab", b"/")] == [
        Found(1), Found(1), Found(1), None, None
    ]  # fmt: skip


def test_a_method_that_is_not_taken_never_opens_a_less_exact_route() -> None:
    places = Places([Rule(b"/admin", True, (b"GET",), 1), Rule(b"", True, (), 2)])
    assert places.find(b"/admin/x", b"GET") == Found(1)
    assert places.find(b"/admin/x", b"DELETE") == Found(None, (b"GET", b"HEAD"))
    assert places.find(b"/other", b"DELETE") == Found(2)


def test_the_work_depends_on_the_path_and_not_on_the_number_of_routes() -> None:
    class Counting(dict[bytes, object]):
        looks = 0

        def get(self, key: bytes, default: object = None) -> object:
            Counting.looks += 1
            return super().get(key, default)

    looks = []
    for count in (10, 10_000):
        places = Places([Rule(b"/s%d/t" % number, True, (), number) for number in range(count)])
        places._prefixes = Counting(places._prefixes)  # type: ignore[assignment] # it counts
        Counting.looks = 0
        assert places.find(b"/s7/t/" + b"x/" * 500, b"GET") == Found(7)
        looks.append(Counting.looks)
    assert looks == [1, 1]
