"""Compiled kernels of clothes: draping, smoothing, cutting along an iso-line, pushing out, hanging sheets."""

from __future__ import annotations

import math

import numpy as np

from marrow._compile import kernel


@kernel()
def axis_points(level, polyline, out):
    """Points (N, 3) of a polyline (K, 3) at float levels 0..K-1 (continued straight beyond its ends)."""
    last = polyline.shape[0] - 2
    for i in range(level.shape[0]):
        k = min(max(math.floor(level[i]), 0), last)
        s = level[i] - k
        for c in range(3):
            out[i, c] = polyline[k, c] + s * (polyline[k + 1, c] - polyline[k, c])


@kernel()
def drape(points, ids, axis, along, level, angle, share, ease, taper, out, grid):
    """Move points outward from their tube's axis to where cloth would hang that lies on what is above it.

    Args:
        points, axis: (M, 3) float32 and float64 (n, 3) axis points of ``ids`` (n,).
        along: (n, 3) unit directions of the axis.
        level, angle: (n,) floats in bins of ``grid`` (L, A), level 0 hangs from nothing.
        share: (n,) how far each follows.
        ease: (L,) metres added to the tube's radius; taper: (L,) metres of radius lost from one level to the next.
        out: (M, 3) what is added to.
        grid: (L, A) result, radii of the cloth.
    """
    levels, angles = grid.shape
    n = ids.shape[0]
    radius = np.empty(n)
    outward = np.empty((n, 3))
    grid[:] = 0.0
    for i in range(n):
        p = points[ids[i]]
        x, y, z = p[0] - axis[i, 0], p[1] - axis[i, 1], p[2] - axis[i, 2]
        h = x * along[i, 0] + y * along[i, 1] + z * along[i, 2]
        x -= h * along[i, 0]
        y -= h * along[i, 1]
        z -= h * along[i, 2]
        r = math.sqrt(x * x + y * y + z * z)
        radius[i] = r
        s = 1.0 / max(r, 1e-6)
        outward[i, 0], outward[i, 1], outward[i, 2] = x * s, y * s, z * s
        if share[i] < 0.05:
            continue
        a = int(level[i] + 0.5)
        b = int(angle[i] + 0.5) % angles
        if 0 <= a < levels and r > grid[a, b]:
            grid[a, b] = r
    for a in range(levels):  # bins that nothing fell into
        for _ in range(angles):
            empty = False
            for b in range(angles):
                if grid[a, b] == 0.0:
                    left, right = grid[a, b - 1], grid[a, (b + 1) % angles]
                    if left > 0.0 or right > 0.0:
                        grid[a, b] = max(left, right) if left == 0.0 or right == 0.0 else 0.5 * (left + right)
                    empty = True
            if not empty:
                break
    row = np.empty(angles)
    for a in range(levels):
        if grid[a, 0] == 0.0:
            if a > 0:
                grid[a] = grid[a - 1]
            continue
        for _ in range(3):
            for b in range(angles):
                left, right = grid[a, b - 1], grid[a, (b + 1) % angles]
                row[b] = max(grid[a, b], 0.5 * (left + right) * 1.01)
            grid[a] = row
        for b in range(angles):
            grid[a, b] += ease[a]
            if a > 0:
                grid[a, b] = max(grid[a, b], grid[a - 1, b] - taper[a])
    for _ in range(2):
        for a in range(levels):
            for b in range(angles):
                row[b] = 0.5 * grid[a, b] + 0.25 * (grid[a, b - 1] + grid[a, (b + 1) % angles])
            grid[a] = row
    for i in range(n):
        if share[i] <= 0.0:
            continue
        y = min(max(level[i], 0.0), levels - 1.001)
        a = int(y)
        y -= a
        x = angle[i] % angles
        b = int(x) % angles
        x -= int(x)
        c = (b + 1) % angles
        R = (1 - y) * ((1 - x) * grid[a, b] + x * grid[a, c]) + y * ((1 - x) * grid[a + 1, b] + x * grid[a + 1, c])
        move = share[i] * max(R - radius[i], 0.0)
        for k in range(3):
            out[ids[i], k] += move * outward[i, k]


@kernel()
def relax(points, ids, start, neighbour, inside, base, normal, gap, rounds, strength):
    """Smooth a shell over its mesh and keep it outside its base, in place and vertex by vertex.

    Args:
        points, base, normal: (M, 3) float32; gap: (M,) metres along the normal.
        ids: vertices that move; inside: (M,) bool, the neighbours that count.
        start, neighbour: CSR of the mesh.
    """
    keep, share = np.float32(1 - strength), np.float32(strength)
    zero = np.float32(0.0)
    for _ in range(rounds):
        for k in range(ids.shape[0]):
            i = ids[k]
            x = y = z = zero
            count = 0
            for e in range(start[i], start[i + 1]):
                j = neighbour[e]
                if inside[j]:
                    x += points[j, 0]
                    y += points[j, 1]
                    z += points[j, 2]
                    count += 1
            if count >= 3:
                s = share / np.float32(count)
                x = points[i, 0] * keep + s * x
                y = points[i, 1] * keep + s * y
                z = points[i, 2] * keep + s * z
            else:
                x, y, z = points[i, 0], points[i, 1], points[i, 2]
            h = (x - base[i, 0]) * normal[i, 0] + (y - base[i, 1]) * normal[i, 1] + (z - base[i, 2]) * normal[i, 2]
            lack = max(gap[i] - h, zero)
            points[i, 0] = x + lack * normal[i, 0]
            points[i, 1] = y + lack * normal[i, 1]
            points[i, 2] = z + lack * normal[i, 2]


@kernel()
def to_unit(vectors):
    """Scale vectors (n, 3) to length one, in place."""
    for i in range(vectors.shape[0]):
        d = math.sqrt(vectors[i, 0] ** 2 + vectors[i, 1] ** 2 + vectors[i, 2] ** 2)
        s = np.float32(1.0 / max(d, 1e-9))
        for c in range(3):
            vectors[i, c] *= s


@kernel()
def push_out(points, ids, base, normal, gap, floor):
    """Move points to at least ``gap`` above their base along its normal; none below ``floor`` (metres, world)."""
    for k in range(ids.shape[0]):
        i = ids[k]
        h = 0.0
        for c in range(3):
            h += (points[i, c] - base[i, c]) * normal[i, c]
        lack = gap[i] - h
        if lack > 0.0:
            for c in range(3):
                points[i, c] += lack * normal[i, c]
        if points[i, 1] < floor:
            points[i, 1] = floor


@kernel()
def cut(field, faces, face_edges, edges, vertex, edge, order, crossed, out_faces, out_rim):
    """Keep where ``field`` is positive and split the triangles along its zero.

    Args:
        field: (M,); faces: (F, 3); face_edges: (F, 3) edge of corners 0-1, 1-2, 2-0; edges: (E, 2).
        vertex, edge: (M,) and (E,) int32, filled with -1; become numbers of the new vertices (kept ones first).
        order, crossed: (M,) and (E,); become the vertices kept and the edges cut, in the order of the new vertices.
        out_faces: (2 F, 3); out_rim: (F, 2) pieces of the rim, along the faces' direction.
    Returns:
        counts: kept vertices, vertices on the rim, faces, rim pieces.
    """
    kept = 0
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        if field[i] > 0 or field[j] > 0 or field[k] > 0:
            for c in range(3):
                v = faces[f, c]
                if field[v] > 0 and vertex[v] < 0:
                    vertex[v] = kept
                    order[kept] = v
                    kept += 1
    on_rim = 0
    count = 0
    pieces = 0
    for f in range(faces.shape[0]):
        inside = 0
        for c in range(3):
            if field[faces[f, c]] > 0:
                inside += 1
        if inside == 0:
            continue
        if inside == 3:
            for c in range(3):
                out_faces[count, c] = vertex[faces[f, c]]
            count += 1
            continue
        for c in range(3):
            e = face_edges[f, c]
            if (field[edges[e, 0]] > 0) != (field[edges[e, 1]] > 0) and edge[e] < 0:
                edge[e] = kept + on_rim
                crossed[on_rim] = e
                on_rim += 1
        first = 0
        for c in range(3):
            alone = field[faces[f, c]] > 0
            if inside == 2:
                alone = not alone
            if alone:
                first = c
        i, j, k = first, (first + 1) % 3, (first + 2) % 3
        ij, ki = edge[face_edges[f, i]], edge[face_edges[f, k]]
        if inside == 1:
            out_faces[count, 0], out_faces[count, 1], out_faces[count, 2] = vertex[faces[f, i]], ij, ki
            count += 1
            out_rim[pieces, 0], out_rim[pieces, 1] = ij, ki
        else:
            a, b = vertex[faces[f, j]], vertex[faces[f, k]]
            out_faces[count, 0], out_faces[count, 1], out_faces[count, 2] = a, b, ki
            out_faces[count + 1, 0], out_faces[count + 1, 1], out_faces[count + 1, 2] = a, ki, ij
            count += 2
            out_rim[pieces, 0], out_rim[pieces, 1] = ki, ij
        pieces += 1
    return kept, on_rim, count, pieces


@kernel()
def hang(points, carried, rest_down, rest_round, closed, capsules, radii, floor, rounds, gravity, memory):
    """Let a sheet of rings hang: position-based, without inertia, in place.

    Args:
        points: (L, A, 3) float64 metres, the first ring stays; carried: (L, A, 3) where the body carries them.
        rest_down: (L, A) length to the point above; rest_round: (L, A) to the next of the ring.
        closed: whether rings are.
        capsules: (C, 2, 3) ends; radii: (C, 2).
        floor: lowest height of points.
        rounds: steps; gravity: metres per step.
        memory: (L,) share of the way back to where the body carries them, per step.
    """
    levels, angles = points.shape[:2]
    for _ in range(rounds):
        for l in range(1, levels):
            for a in range(angles):
                for c in range(3):
                    points[l, a, c] += memory[l] * (carried[l, a, c] - points[l, a, c])
                points[l, a, 1] -= gravity
        for l in range(1, levels):
            for a in range(angles if closed else angles - 1):
                b = (a + 1) % angles
                x = points[l, b, 0] - points[l, a, 0]
                y = points[l, b, 1] - points[l, a, 1]
                z = points[l, b, 2] - points[l, a, 2]
                d = math.sqrt(x * x + y * y + z * z) + 1e-9
                s = 0.5 * (d - rest_round[l, a]) / d
                if s < 0.0:
                    s *= 0.1
                points[l, a, 0] += s * x
                points[l, a, 1] += s * y
                points[l, a, 2] += s * z
                points[l, b, 0] -= s * x
                points[l, b, 1] -= s * y
                points[l, b, 2] -= s * z
            for a in range(angles):
                keep_out(points[l, a], capsules, radii)
            for a in range(angles):
                x = points[l, a, 0] - points[l - 1, a, 0]
                y = points[l, a, 1] - points[l - 1, a, 1]
                z = points[l, a, 2] - points[l - 1, a, 2]
                d = math.sqrt(x * x + y * y + z * z) + 1e-9
                s = (d - rest_down[l, a]) / d
                if s < 0.0:
                    s *= 0.4
                points[l, a, 0] -= s * x
                points[l, a, 1] -= s * y
                points[l, a, 2] -= s * z
                if points[l, a, 1] < floor:
                    points[l, a, 1] = floor
    for l in range(1, levels):
        for a in range(angles):
            keep_out(points[l, a], capsules, radii)
            if points[l, a, 1] < floor:
                points[l, a, 1] = floor


@kernel()
def keep_out(p, capsules, radii):
    """Push one point (3,) out of capsules with a radius at each end."""
    for c in range(capsules.shape[0]):
        ax, ay, az = capsules[c, 0, 0], capsules[c, 0, 1], capsules[c, 0, 2]
        bx, by, bz = capsules[c, 1, 0] - ax, capsules[c, 1, 1] - ay, capsules[c, 1, 2] - az
        x, y, z = p[0] - ax, p[1] - ay, p[2] - az
        t = (x * bx + y * by + z * bz) / (bx * bx + by * by + bz * bz + 1e-12)
        t = min(max(t, 0.0), 1.0)
        x, y, z = x - t * bx, y - t * by, z - t * bz
        d = math.sqrt(x * x + y * y + z * z) + 1e-9
        lack = radii[c, 0] + t * (radii[c, 1] - radii[c, 0]) - d
        if lack > 0.0:
            s = lack / d
            p[0] += s * x
            p[1] += s * y
            p[2] += s * z


@kernel()
def smooth_rim(points, pieces, rounds):
    """Smooth points (r, 3) along the pieces (p, 2) between them, in place."""
    total = np.empty_like(points)
    count = np.empty(points.shape[0], np.int32)
    for turn in range(rounds):
        total[:] = 0.0
        count[:] = 0
        for e in range(pieces.shape[0]):
            i, j = pieces[e, 0], pieces[e, 1]
            for c in range(3):
                total[i, c] += points[j, c]
                total[j, c] += points[i, c]
            count[i] += 1
            count[j] += 1
        # every second step backward (Taubin), so that hems do not shrink
        strength = 0.5 if turn % 2 == 0 else -0.42
        for i in range(points.shape[0]):
            if count[i] == 2:
                for c in range(3):
                    points[i, c] += np.float32(strength) * (total[i, c] * np.float32(0.5) - points[i, c])


@kernel()
def middles(values, parents, out):
    """Means (M, 3) of the values (V, 3) at pairs of vertices (M, 2)."""
    for i in range(parents.shape[0]):
        a, b = parents[i, 0], parents[i, 1]
        for c in range(3):
            out[i, c] = np.float32(0.5) * (values[a, c] + values[b, c])


@kernel()
def lay(base, normal, worn, gap, layer, scale, out_gap, points):
    """First guess of a shell: ``gap`` (M,) above the base, ``layer`` where something is ``worn`` below."""
    for i in range(base.shape[0]):
        g = np.float32((layer if worn[i] else gap[i]) * scale)
        out_gap[i] = g
        for c in range(3):
            points[i, c] = base[i, c] + g * normal[i, c]


@kernel()
def fold(points, ids, base, normal, noise, rows, amounts, creases, strength):
    """Move a shell along the normals by a sum of rows of ``noise`` (K, M), more where it hangs loose."""
    for k in range(ids.shape[0]):
        i = ids[k]
        slack = 0.0
        for c in range(3):
            slack += (points[i, c] - base[i, c]) ** 2
        looseness = min(0.25 + math.sqrt(slack) / 0.02, 1.4)
        total = 0.0
        for r in range(rows.shape[0]):
            total += amounts[r] * noise[rows[r], i]
        move = np.float32(strength * looseness * creases[i] * total)
        for c in range(3):
            points[i, c] += move * normal[i, c]


@kernel()
def profile(u, w, h, used, at, reach, left, right, top):
    """Least and largest ``w`` and largest ``h`` of used points within ``reach`` of each station ``at`` along ``u``."""
    for k in range(at.shape[0]):
        left[k], right[k], top[k] = np.inf, -np.inf, 0.0
        for i in range(u.shape[0]):
            if used[i] and abs(u[i] - at[k]) < reach:
                left[k] = min(left[k], w[i])
                right[k] = max(right[k], w[i])
                top[k] = max(top[k], h[i])
    for k in range(at.shape[0]):  # stations beyond the ends take the nearest one's
        if not right[k] > left[k]:
            for step in range(1, at.shape[0]):
                for j in (k - step, k + step):
                    if 0 <= j < at.shape[0] and right[j] > left[j]:
                        left[k], right[k], top[k] = left[j], right[j], top[j]
                        break
                if right[k] > left[k]:
                    break


@kernel()
def fill(values, found, rounds):
    """Make (R, C) values smooth where they were not ``found``, in place; columns go around."""
    rows, columns = values.shape
    for _ in range(rounds):
        for i in range(rows):
            for j in range(columns):
                if not found[i, j]:
                    up, down = values[max(i - 1, 0), j], values[min(i + 1, rows - 1), j]
                    values[i, j] = 0.25 * (up + down + values[i, j - 1] + values[i, (j + 1) % columns])


@kernel()
def tint(noise, amounts, blotch, red, redness, lips, lip, nails, nail, lids, mouth, shadow, hair, tone, out):
    """Skin colours (V, 3); see :func:`marrow.data.synth.skin_colours.skin_colours`."""
    for i in range(out.shape[0]):
        n = 0.0
        for k in range(amounts.shape[0]):
            n += amounts[k] * noise[i, k]
        uneven = min(max(n, -2.5), 2.5)
        r = min(max(redness * red[i] * (1 + 0.3 * n), 0.0), 1.0)
        dark = (1 - 0.10 * lids[i]) * (1 - 0.55 * mouth[i] * (1 - lips[i]))
        a, b = 0.85 * lips[i], nails[i]
        s = shadow[i] * (1 - a)
        for c in range(3):
            v = tone[c] * (1 + blotch * uneven) * (1 + r * (0.10 if c == 0 else (-0.22 if c == 1 else -0.20)))
            v = (v * (1 - a) + a * lip[c]) * (1 - b) + b * nail[c]
            v = v * dark * (1 - s) + s * hair[c]
            out[i, c] = min(max(v, 0.0), 1.0)
