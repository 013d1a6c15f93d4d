"""A k-d tree whose leaves are scanned by vector instructions, compiled by numba."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from infotorch.numerics.jit import compiled, insert

# Rows of a leaf: its distances are one short run of vector instructions. 64 was the fastest of 16, 32, 64 (5 and 10
# columns, n = 10,000).
_LEAF = 64
# The depth of a stack that no tree outgrows: 2^60 leaves.
_STACK = 64


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


@compiled
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


@compiled
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


@compiled
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


@compiled
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


@compiled
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


@compiled
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
                        insert(joint[c], members[leaf, c], near, which)


@compiled
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
