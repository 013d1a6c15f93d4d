"""The inner loops of the neighbour searches, compiled by numba (extra `fast`).

Everything here works on float64 arrays and gives what the torch and SciPy paths of the neighbours' files give, faster.
Each loop releases the interpreter's lock and writes rows start to stop of its outputs alone, so the caller divides the
rows among threads: numba's own threads abort a process that forks or calls from two threads. Inner loops run over
neighbouring entries of one column, which the compiler turns into vector instructions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

# Rows of a leaf: its distances are one short run of vector instructions. 64 was the fastest of 16, 32, 64 (5 and 10
# columns, n = 10,000).
_LEAF = 64
# Distances that are looked at together for the least one.
_GROUP = 32
# A tile of distances (8 rows x 512 columns, 32 KB) stays in the first-level cache while its columns pass by.
_TILE_ROWS, _TILE_COLUMNS = 8, 512
# The depth of a stack that no tree outgrows: 2^60 leaves.
_STACK = 64


def _compile(function: Any) -> Any:
    """No NaN comes in and signed zeros are alike: with this said, max and min become vector instructions."""
    settings = {"nogil": True, "fastmath": {"nnan", "nsz"}}
    try:
        return njit(cache=True, **settings)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return njit(**settings)(function)


class Tree(NamedTuple):
    """A balanced k-d tree as arrays; node i has the children 2i + 1 and 2i + 2, and the last half are leaves.

    Args:
        order: row numbers, leaf by leaf, shape (n,).
        sizes: rows below each node.
        low: least value of each column below each node, shape (nodes, d).
        high: greatest value, likewise.
        leaves: values of each leaf's rows, shape (leaves, d, 64), infinite where a leaf has fewer rows.
        members: row numbers of each leaf, shape (leaves, 64).
    """

    order: np.ndarray
    sizes: np.ndarray
    low: np.ndarray
    high: np.ndarray
    leaves: np.ndarray
    members: np.ndarray


def build_tree(columns: np.ndarray) -> Tree:
    """Split at the median of the widest column until a leaf has at most 64 rows.

    Args:
        columns: shape (d, n), contiguous.
    """
    d, n = columns.shape
    leaves = 1
    while leaves * _LEAF < n:
        leaves *= 2
    nodes = 2 * leaves - 1
    tree = Tree(
        order=np.arange(n),
        sizes=np.empty(nodes, np.int64),
        low=np.empty((nodes, d)),
        high=np.empty((nodes, d)),
        leaves=np.full((leaves, d, _LEAF), np.inf),
        members=np.full((leaves, _LEAF), -1),
    )
    _split_nodes(columns, *tree)
    return tree


@_compile
def _split_nodes(columns, order, sizes, low, high, leaves, members):
    nodes, first_leaf = len(sizes), len(leaves) - 1
    begin, end = np.zeros(nodes, np.int64), np.zeros(nodes, np.int64)
    end[0] = len(order)
    for node in range(nodes):
        a, b = begin[node], end[node]
        sizes[node] = b - a
        widest = _bound_box(columns, order, a, b, low[node], high[node])
        if node < first_leaf:
            middle = (a + b) // 2
            _select(columns[widest], order, a, b - 1, middle)
            begin[2 * node + 1], end[2 * node + 1] = a, middle
            begin[2 * node + 2], end[2 * node + 2] = middle, b
        else:
            for p in range(a, b):
                members[node - first_leaf, p - a] = order[p]
                for j in range(len(columns)):
                    leaves[node - first_leaf, j, p - a] = columns[j, order[p]]


@_compile
def _bound_box(columns, order, a, b, low, high):
    """Write the least and greatest value of each column over order[a:b]; the number of the widest column."""
    widest = 0
    for j in range(len(columns)):
        least = greatest = columns[j, order[a]]
        for p in range(a + 1, b):
            value = columns[j, order[p]]
            least, greatest = min(least, value), max(greatest, value)
        low[j], high[j] = least, greatest
        if greatest / 2 - least / 2 > high[widest] / 2 - low[widest] / 2:  # halved: the range may overflow
            widest = j
    return widest


@_compile
def _select(values, order, low, high, middle):
    """Hoare's quickselect: reorder order[low:high + 1] so that order[middle] is where sorting would put it."""
    while low < high:
        a, b, c = values[order[low]], values[order[(low + high) // 2]], values[order[high]]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while values[order[i]] < pivot:
                i += 1
            while values[order[j]] > pivot:
                j -= 1
            if i <= j:
                order[i], order[j] = order[j], order[i]
                i, j = i + 1, j - 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            return


@_compile
def _gap(point, low, high, node, edges, euclidean):
    """Distance of a point to a box: the norm within each space, the largest across; rounds as distances do."""
    farthest = 0.0
    for s in range(len(edges) - 1):
        gap = 0.0
        if euclidean:
            for j in range(edges[s], edges[s + 1]):
                beyond = max(max(low[node, j] - point[j], point[j] - high[node, j]), 0.0)
                gap += beyond * beyond
            gap = np.sqrt(gap)
        else:
            for j in range(edges[s], edges[s + 1]):
                gap = max(gap, max(low[node, j] - point[j], point[j] - high[node, j]))
        farthest = max(farthest, gap)
    return farthest


@_compile
def _leaf_distances(point, leaves, leaf, edges, euclidean, joint, own):
    for s in range(len(edges) - 1):
        out = joint if s == 0 else own
        for c in range(_LEAF):
            out[c] = 0.0
        for j in range(edges[s], edges[s + 1]):
            value = point[j]
            if euclidean:
                for c in range(_LEAF):
                    difference = value - leaves[leaf, j, c]
                    out[c] += difference * difference
            else:
                for c in range(_LEAF):
                    out[c] = max(out[c], abs(value - leaves[leaf, j, c]))
        if euclidean:
            for c in range(_LEAF):
                out[c] = np.sqrt(out[c])
        if s > 0:
            for c in range(_LEAF):
                joint[c] = max(joint[c], own[c])


@_compile
def _insert(value, row, distance, index):
    """Put a value that is below the last one in its place of the ascending list."""
    p = len(distance) - 1
    while p > 0 and distance[p - 1] > value:
        distance[p], index[p] = distance[p - 1], index[p - 1]
        p -= 1
    distance[p], index[p] = value, row


@_compile
def tree_nearest(tree, columns, edges, euclidean, start, stop, distance, index):
    """Write distance and row number of the k nearest other rows, (n, k), for the tree's rows order[start:stop].

    Args:
        tree: of `columns`.
        columns: shape (d, n); columns edges[s] to edges[s + 1] are space s.
        edges: shape (spaces + 1,).
        euclidean: the norm within a space, else Chebyshev.
        start: first position in the tree's order.
        stop: last position, not included.
        distance: output, (n, k), ascending.
        index: output, (n, k).
    """
    # Arrays taken out of the tuple once: in the loop each access would count a reference.
    order, low, high, leaves, members = tree.order, tree.low, tree.high, tree.leaves, tree.members
    k, first_leaf = distance.shape[1], len(leaves) - 1
    point, joint, own = np.empty(len(columns)), np.empty(_LEAF), np.empty(_LEAF)
    stack, gaps = np.empty(_STACK, np.int64), np.empty(_STACK)
    for position in range(start, stop):
        i = order[position]
        for j in range(len(columns)):
            point[j] = columns[j, i]
        near, which = distance[i], index[i]
        near[:] = np.inf
        which[:] = i  # distances that overflow are nobody's
        stack[0], gaps[0], top = 0, 0.0, 1
        while top > 0:
            top -= 1
            node = stack[top]
            if gaps[top] >= near[k - 1]:
                continue
            while node < first_leaf:  # go down on the nearer side, keep the other for later
                left = 2 * node + 1
                a = _gap(point, low, high, left, edges, euclidean)
                b = _gap(point, low, high, left + 1, edges, euclidean)
                node = left if a <= b else left + 1
                if max(a, b) < near[k - 1]:
                    stack[top], gaps[top] = left + (a <= b), max(a, b)
                    top += 1
            leaf = node - first_leaf
            _leaf_distances(point, leaves, leaf, edges, euclidean, joint, own)
            least = np.inf
            for c in range(_LEAF):
                least = min(least, joint[c])
            if least < near[k - 1]:
                for c in range(_LEAF):
                    if joint[c] < near[k - 1] and members[leaf, c] != i:
                        _insert(joint[c], members[leaf, c], near, which)


@_compile
def tree_count(tree, columns, euclidean, radius, start, stop, counts):
    """Write how many rows lie within each row's radius (inclusive), for the tree's rows order[start:stop]."""
    order, sizes, low, high, leaves = tree.order, tree.sizes, tree.low, tree.high, tree.leaves
    first_leaf, edges = len(leaves) - 1, np.array([0, len(columns)])
    point, joint, own = np.empty(len(columns)), np.empty(_LEAF), np.empty(_LEAF)
    stack = np.empty(_STACK, np.int64)
    for position in range(start, stop):
        i = order[position]
        reach, count = radius[i], 0
        for j in range(len(columns)):
            point[j] = columns[j, i]
        stack[0], top = 0, 1
        while top > 0:
            top -= 1
            node = stack[top]
            near = far = 0.0  # to the box, and to its farthest corner
            for j in range(len(point)):
                below, above = low[node, j] - point[j], point[j] - high[node, j]
                gap, corner = max(max(below, above), 0.0), max(-below, -above)
                if euclidean:
                    near, far = near + gap * gap, far + corner * corner
                else:
                    near, far = max(near, gap), max(far, corner)
            if euclidean:
                near, far = np.sqrt(near), np.sqrt(far)
            if near > reach:
                continue
            if far <= reach:
                count += sizes[node]
            elif node < first_leaf:
                stack[top], stack[top + 1] = 2 * node + 1, 2 * node + 2
                top += 2
            else:
                _leaf_distances(point, leaves, node - first_leaf, edges, euclidean, joint, own)
                inside = 0
                for c in range(_LEAF):  # a radius is finite, and empty places of a leaf are infinitely far
                    inside += joint[c] <= reach
                count += inside
        counts[i] = count


@_compile
def fill_block(columns, euclidean, start, block):
    """Write the distances of rows start, start + 1, ... to all rows into block, shape (rows, n).

    Args:
        columns: one space, shape (d, n), contiguous.
        euclidean: the norm, else Chebyshev.
        start: number of the block's first row.
        block: output.
    """
    rows, n = block.shape
    for row in range(0, rows, _TILE_ROWS):
        last = min(row + _TILE_ROWS, rows)
        for column in range(0, n, _TILE_COLUMNS):
            stop = min(column + _TILE_COLUMNS, n)
            block[row:last, column:stop] = 0.0
            for j in range(len(columns)):
                others = columns[j, column:stop]
                for q in range(row, last):
                    value, out = columns[j, start + q], block[q, column:stop]
                    if euclidean:
                        for c in range(len(out)):
                            difference = value - others[c]
                            out[c] += difference * difference
                    else:
                        for c in range(len(out)):
                            out[c] = max(out[c], abs(value - others[c]))
            if euclidean:
                for q in range(row, last):
                    out = block[q, column:stop]
                    for c in range(len(out)):
                        out[c] = np.sqrt(out[c])


@_compile
def finish_squares(block, norms, start, grid):
    """Turn products -2 a.b into distances: add both squared norms, round to the row's grid, take the root.

    Args:
        block: -2 times the products of rows start, start + 1, ... with all rows, plus the squared norms of all rows;
            overwritten.
        norms: squared norms of all rows, shape (n,).
        start: number of the block's first row.
        grid: of all rows, shape (n,).
    """
    for i in range(len(block)):
        row, norm, step = block[i], norms[start + i], grid[start + i]
        for c in range(len(row)):
            row[c] = np.sqrt(np.rint(max(row[c] + norm, 0.0) / step) * step)


@_compile
def block_nearest(blocks, start, first, last, distance, index):
    """Write distance and number of the k nearest among rows first to last, (rows, k), row start + i left out.

    Args:
        blocks: distances to all rows in each space, shape (spaces, rows, n); the largest space counts.
        start: number of the block's first row.
        first: first row that may be a neighbour.
        last: last one, not included.
        distance: output, (rows, k), ascending.
        index: output, (rows, k).
    """
    k, width = distance.shape[1], last - first
    joint, least = np.empty(width), np.empty(-(-width // _GROUP))
    for i in range(len(distance)):
        near, which = distance[i], index[i]
        own = blocks[0, i, first:last]
        for c in range(width):
            joint[c] = own[c]
        for s in range(1, len(blocks)):
            own = blocks[s, i, first:last]
            for c in range(width):
                joint[c] = max(joint[c], own[c])
        if first <= start + i < last:
            joint[start + i - first] = np.inf
        # The k-th of the groups' least distances bounds the k-th distance: few groups need a closer look.
        near[:] = np.inf
        for g in range(len(least)):
            group, smallest = joint[g * _GROUP : (g + 1) * _GROUP], np.inf
            for c in range(len(group)):
                smallest = min(smallest, group[c])
            least[g] = smallest
            if smallest < near[k - 1]:
                _insert(smallest, i, near, which)
        bound = near[k - 1]
        near[:] = np.inf
        which[:] = start + i  # distances that overflow are nobody's
        for g in range(len(least)):
            if least[g] <= bound:
                for c in range(g * _GROUP, min((g + 1) * _GROUP, width)):
                    if joint[c] < near[k - 1]:
                        _insert(joint[c], first + c, near, which)


@_compile
def block_count(block, radius, first, last, counts):
    """Write how many of columns first to last are at most the row's radius, shape (rows,)."""
    for i in range(len(block)):
        row, reach, inside = block[i, first:last], radius[i], 0
        for c in range(len(row)):
            inside += row[c] <= reach
        counts[i] = inside
