"""Distances of a block of rows to all rows, the nearest among them, and counts; compiled by numba."""

from __future__ import annotations

import numpy as np

from infotorch.numerics.jit import compiled, insert

# Distances that are looked at together for the least one.
_GROUP = 32
# A tile of distances (8 rows x 512 columns, 32 KB) stays in the first-level cache while its columns pass by.
_TILE_ROWS, _TILE_COLUMNS = 8, 512


@compiled
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
            if euclidean:
                _euclidean_tile(columns, start, block, row, last, column, stop)
            else:
                _chebyshev_tile(columns, start, block, row, last, column, stop)


@compiled
def _chebyshev_tile(columns, start, block, row, last, column, stop):
    """Raise the tile to the largest difference; two columns at a time, which halves its trips to memory."""
    for j in range(0, len(columns), 2):
        partner = min(j + 1, len(columns) - 1)
        these, those = columns[j, column:stop], columns[partner, column:stop]
        for q in range(row, last):
            a, b, out = columns[j, start + q], columns[partner, start + q], block[q, column:stop]
            for c in range(len(out)):
                out[c] = max(out[c], max(abs(a - these[c]), abs(b - those[c])))


@compiled
def _euclidean_tile(columns, start, block, row, last, column, stop):
    """Add the squares of the differences, column after column, and take the root."""
    for j in range(len(columns)):
        others = columns[j, column:stop]
        for q in range(row, last):
            value, out = columns[j, start + q], block[q, column:stop]
            for c in range(len(out)):
                difference = value - others[c]
                out[c] += difference * difference
    for q in range(row, last):
        out = block[q, column:stop]
        for c in range(len(out)):
            out[c] = np.sqrt(out[c])


@compiled
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


@compiled
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
                insert(smallest, i, near, which)
        bound = near[k - 1]
        near[:] = np.inf
        which[:] = start + i  # distances that overflow are nobody's
        for g in range(len(least)):
            if least[g] <= bound:
                for c in range(g * _GROUP, min((g + 1) * _GROUP, width)):
                    if joint[c] < near[k - 1]:
                        insert(joint[c], first + c, near, which)


@compiled
def block_count(block, radius, first, last, counts):
    """Write how many of columns first to last are at most the row's radius, shape (rows,)."""
    for i in range(len(block)):
        row, reach, inside = block[i, first:last], radius[i], 0
        for c in range(len(row)):
            inside += row[c] <= reach
        counts[i] = inside
