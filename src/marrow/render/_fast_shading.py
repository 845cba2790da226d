"""Compiled twins of :mod:`marrow.render.shading`: depth maps of lights and the shading of samples."""

from __future__ import annotations

import math

import numpy as np

from marrow._compile import kernel

# Columns of the table of surfaces (S, COLUMNS); see shading._table.
GLOSS, TWO_SIDED, CATCHER, KIND, SIZE, SEED = 0, 1, 2, 3, 4, 5
COLOUR, ALONG, ACROSS_X, ACROSS_Z, CENTRE = 6, 9, 12, 15, 18
TEXTURE, TEXTURE_H, TEXTURE_W = 21, 22, 23
COLUMNS = 24
# Columns of the table of lights (L, LIGHT_COLUMNS).
AT, LAMP, POINT, SOFTNESS, MAP = 0, 3, 6, 7, 8
LIGHT_COLUMNS = 9
# Columns of the table of the sky's axes (D, SKY_COLUMNS), whose first three are the axis: how far a place is moved
# along its normal, metres, and three rows of the axis' frame.
STEP, ROWS = 3, 4
SKY_COLUMNS = 16
# Rows of what is known about the groups of samples that are shaded as one: floats, and whole numbers (ROW: 0 or 1 of a
# pair; MEMBERS: a bit for each sample of the pixel; COUNT: how many; KIND_OF: below).
PLACE, NORMAL, VIEW, BREADTH = 0, 3, 6, 9
GROUP = 10
ROW, PIXEL, SURFACE, MEMBERS, COUNT, KIND_OF = 0, 1, 2, 3, 4, 5
WHOSE = 6
#: Kinds of groups: some samples of a pixel; all, of one face; all of a block of 2 by 2 pixels, of one plain face.
SOME, ALL, BLOCK = 0, 1, 2
#: A face is plain where its corners' normals differ by less than this, and its colours are the same.
PLAIN = 1e-3
#: Samples of a pixel are shaded as one where their distance is below CLOSE sample widths and their normals' cosine is
#: above ALIKE.
CLOSE, ALIKE = 4.0, 0.9
#: What hides the sky does so wholly up to NEAR, metres, and not beyond FAR: the few axes would show as faint shadows.
NEAR, FAR = 0.6, 2.0
#: Sums may be taken in another order; infinite depths must stay.
LOOSE = {"contract", "reassoc", "arcp", "nsz"}
TAPS = 16
#: Whole numbers that mix a place and a seed.
HASH_X, HASH_Y, HASH_Z, HASH_SEED = 73856093, 19349663, 83492791, 40503
#: Texels along a side of the tiles of a light's map.
TILE = 16
_AT = np.arange(TAPS) + 0.5
_TURN = np.arange(TAPS) * np.pi * (3 - np.sqrt(5))
#: Taps (16, 2) spread evenly over a disc (Vogel 1979).
DISC = np.sqrt(_AT / TAPS)[:, None] * np.stack([np.cos(_TURN), np.sin(_TURN)], -1)
#: Cosine and sine (64, 2) of the angles by which they are turned.
TURNS = 64
TURN = np.stack([np.cos(2 * np.pi / TURNS * np.arange(TURNS)), np.sin(2 * np.pi / TURNS * np.arange(TURNS))], -1)


@kernel()
def casters(vertices, faces, casts, number, points, corners):
    """Only what casts: ``points`` (V, 3) and ``corners`` (F, 3) are filled from the start; how many of each there are.

    ``casts`` (F,) says which faces do; ``number`` (V,) is scratch.
    """
    number[:] = -1
    count = 0
    found = 0
    for f in range(faces.shape[0]):
        if not casts[f]:
            continue
        for c in range(3):
            v = faces[f, c]
            if number[v] < 0:
                number[v] = found
                points[found, 0] = vertices[v, 0]
                points[found, 1] = vertices[v, 1]
                points[found, 2] = vertices[v, 2]
                found += 1
            corners[count, c] = number[v]
        count += 1
    return found, count


@kernel()
def widest_tangent(points, R, place):
    """Least depth of points (N, 3) along the last of the axes ``R`` (rows) about ``place``, and their widest tangent.

    The tangent, of x or y over z, is infinite where z is not above zero.
    """
    nearest, tangent = np.inf, 0.0
    for i in range(points.shape[0]):
        x, y, z = points[i, 0] - place[0], points[i, 1] - place[1], points[i, 2] - place[2]
        a = R[0, 0] * x + R[0, 1] * y + R[0, 2] * z
        b = R[1, 0] * x + R[1, 1] * y + R[1, 2] * z
        c = R[2, 0] * x + R[2, 1] * y + R[2, 2] * z
        nearest = min(nearest, c)
        tangent = max(tangent, max(abs(a), abs(b)) / c) if c > 0.0 else np.inf
    return nearest, tangent


@kernel(fastmath={"nnan", "nsz", "reassoc", "contract"})
def extents(points, rows, low, high):
    """Least and most coordinates (K,) of finite points (N, 3) along each of ``rows`` (K, 3); infinite of no points."""
    count = points.shape[0]
    x, y, z = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.float32)
    for i in range(count):
        x[i], y[i], z[i] = points[i, 0], points[i, 1], points[i, 2]
    for k in range(rows.shape[0]):
        a, b, c = np.float32(rows[k, 0]), np.float32(rows[k, 1]), np.float32(rows[k, 2])
        least, most = np.float32(np.inf), np.float32(-np.inf)
        for i in range(count):
            value = a * x[i] + b * y[i] + c * z[i]
            least, most = min(least, value), max(most, value)
        low[k], high[k] = least, most


@kernel()
def long_faces(points, faces, longest, out):
    """Faces (F, 3) with an edge longer than ``longest`` to the start of ``out``; how many there are."""
    count = 0
    for f in range(faces.shape[0]):
        most = 0.0
        for c in range(3):
            i, j = faces[f, c], faces[f, (c + 1) % 3]
            x, y, z = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1], points[i, 2] - points[j, 2]
            most = max(most, x * x + y * y + z * z)
        if most > longest * longest:
            out[count, 0], out[count, 1], out[count, 2] = faces[f, 0], faces[f, 1], faces[f, 2]
            count += 1
    return count


@kernel()
def depth_map(points, faces, frame, dots, uvd, nearest, farthest):
    """Draw ``nearest`` and, unless it is empty, ``farthest`` d (n, n) of faces as ``frame`` (4, 4) sees them.

    With ``dots``, each point is drawn into the texel that it is in as well: instead of faces that are smaller.
    ``uvd`` (N, 3) float32 is scratch: texels and depth of the points. With a lamp's frame (its last row divides), all
    points lie before the lamp, and -1 / z takes the place of z, which is not linear on the map.
    """
    n = nearest.shape[0]
    nearest[:] = np.inf
    farthest[:] = -np.inf
    both = farthest.shape[0] > 0
    lamp = frame[3, 0] != 0.0 or frame[3, 1] != 0.0 or frame[3, 2] != 0.0
    middle = 0.5 * (n - 1)
    for i in range(points.shape[0]):
        x, y, z = float(points[i, 0]), float(points[i, 1]), float(points[i, 2])
        u = frame[0, 0] * x + frame[0, 1] * y + frame[0, 2] * z + frame[0, 3]
        v = frame[1, 0] * x + frame[1, 1] * y + frame[1, 2] * z + frame[1, 3]
        d = frame[2, 0] * x + frame[2, 1] * y + frame[2, 2] * z + frame[2, 3]
        if lamp:
            u, v, d = u / d, v / d, -1.0 / d
        uvd[i, 0] = u + middle
        uvd[i, 1] = v + middle
        uvd[i, 2] = d
        if dots:
            iu, iv, near = int(u + middle + 0.5), int(v + middle + 0.5), uvd[i, 2]
            if 0 <= iu < n and 0 <= iv < n:
                known = nearest[iv, iu]
                nearest[iv, iu] = near if near < known else known
                if both:
                    known = farthest[iv, iu]
                    farthest[iv, iu] = near if near > known else known
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ay, by, cy = uvd[i, 1], uvd[j, 1], uvd[k, 1]
        y_first, y_last = max(0, math.ceil(min(ay, by, cy))), min(n - 1, math.floor(max(ay, by, cy)))
        if y_first > y_last:
            continue
        ax, bx, cx = uvd[i, 0], uvd[j, 0], uvd[k, 0]
        x_first, x_last = max(0, math.ceil(min(ax, bx, cx))), min(n - 1, math.floor(max(ax, bx, cx)))
        if x_first > x_last:
            continue
        _draw_depth(
            float(ax), float(ay), float(uvd[i, 2]), float(bx), float(by), float(uvd[j, 2]), float(cx), float(cy),
            float(uvd[k, 2]), x_first, x_last, y_first, y_last, both, nearest, farthest,
        )  # fmt: skip
    if lamp:
        for y in range(n):
            for x in range(n):
                if nearest[y, x] < np.inf:
                    nearest[y, x] = np.float32(-1.0) / nearest[y, x]


@kernel()
def tile_nearest(maps, out):
    """``out`` (M, ceil(n / TILE), ceil(n / TILE)): least depth of each tile of maps (M, n, n)."""
    out[:] = np.inf
    for m in range(maps.shape[0]):
        for y in range(maps.shape[1]):
            for x in range(maps.shape[2]):
                if maps[m, y, x] < out[m, y // TILE, x // TILE]:
                    out[m, y // TILE, x // TILE] = maps[m, y, x]


@kernel(inline="always")
def _draw_depth(
    ax, ay, za, bx, by, zb, cx, cy, zc, x_first, x_last, y_first, y_last, both, nearest, farthest
):  # fmt: skip
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    if area == 0.0:
        return
    scale = 1.0 / area
    dxa, dya = (cx - bx) * scale, (cy - by) * scale
    dxb, dyb = (ax - cx) * scale, (ay - cy) * scale
    dxc, dyc = (bx - ax) * scale, (by - ay) * scale
    wide = x_last - x_first > 6
    slope = -(dya * za + dyb * zb + dyc * zc)
    for y in range(y_first, y_last + 1):
        ea, eb, ec = dxa * (y - by) + dya * bx, dxb * (y - cy) + dyb * cx, dxc * (y - ay) + dyc * ax
        start = ea * za + eb * zb + ec * zc
        if wide:  # straight to where the edges cross the row
            low, high = float(x_first), float(x_last)
            low, high = _cut(ea, dya, low, high)
            low, high = _cut(eb, dyb, low, high)
            low, high = _cut(ec, dyc, low, high)
            for x in range(math.ceil(low - 1e-6), math.floor(high + 1e-6) + 1):
                d, known = np.float32(start + slope * x), nearest[y, x]
                nearest[y, x] = d if d < known else known
                if both:
                    known = farthest[y, x]
                    farthest[y, x] = d if d > known else known
            continue
        for x in range(x_first, x_last + 1):
            if ea - dya * x >= 0.0 and eb - dyb * x >= 0.0 and ec - dyc * x >= 0.0:
                d = np.float32(start + slope * x)
                if d < nearest[y, x]:
                    nearest[y, x] = d
                if both and d > farthest[y, x]:
                    farthest[y, x] = d


@kernel(inline="always")
def _cut(e, de, low, high):
    """The part of ``low`` to ``high`` where ``e - de x`` is not below 0."""
    if de == 0.0 and e < 0.0:
        return low, low - 1.0
    if de > 0.0:
        return low, min(high, e / de)
    if de < 0.0:
        return max(low, e / de), high
    return low, high


@kernel(fastmath=LOOSE)
def shade_rows(
    row0, ids, bary, faces, surface_of, vertices, normals, colours, places, uvs, table, texels, decode, eye, axis,
    footprint, lights, light_maps, light_frames, light_nearest, sky_maps, sky_table, sky_bounds, up, down, background,
    samples, image, coverage,
):  # fmt: skip
    """Shade rows of ``image`` (H, W, 3) from ``row0`` on, with ``samples``² of ``ids`` (h s, W s) for each pixel.

    ``light_maps`` (M, n, n) hold the depth nearest to each light, ``light_nearest`` the least of each tile of them;
    ``light_frames`` (M, 4, 4) map world points to its texels u, v (from the map's middle) and depth d (a lamp's u
    and v are divided by the fourth coordinate). ``sky_maps`` (D, 2, n, n) hold the lowest and highest depth along
    each axis of ``sky_table``. ``eye`` is where the camera is; where ``axis`` is not zero, the camera is
    orthographic and looks along it. ``footprint`` is the breadth of a sample at one metre (or at any depth).

    Samples of a pixel that all see one face, or see one surface close together and from nearly one side, are shaded as
    one at their mean; only textures and half shadows are looked up for each. Where one plain face fills a block of 2 by
    2 pixels (from even ones on), these share all but shadows, patterns and textures. The groups of two rows are
    gathered first, then looked up together in one map after the other.
    """
    many = samples * samples
    room = 2 * ids.shape[1] * samples
    groups, whose = np.empty((GROUP, room)), np.empty((WHOSE, room), np.int64)
    kept, open_part = np.empty((lights.shape[0], 4, room)), np.empty((4, room))
    near, on, each = np.empty(room, np.int64), np.empty(many, np.int64), np.empty((8, many))
    height, row = ids.shape[0] // samples, 0
    while row < height:
        rows = 2 if (row0 + row) % 2 == 0 and row + 1 < height else 1
        fine, weights = ids[row * samples : (row + rows) * samples], bary[row * samples : (row + rows) * samples]
        y = row0 + row
        behind, out = background[y : y + rows], image[y : y + rows]
        count = _gather(
            fine, weights, faces, surface_of, vertices, normals, colours, table, eye, axis, footprint, samples, on,
            each, groups, whose, behind, out, coverage[y : y + rows],
        )  # fmt: skip
        for n in range(lights.shape[0]):
            _shadows(
                y, count, fine, weights, faces, vertices, samples, groups, whose, int(lights[n, MAP]), light_maps,
                light_frames, light_nearest, lights[n, SOFTNESS], kept[n],
            )  # fmt: skip
        _sky(count, groups, sky_maps, sky_table, sky_bounds, near, open_part)
        _colour(
            count, fine, weights, faces, colours, places, uvs, table, texels, decode, lights, up, down, samples,
            groups, whose, kept, open_part, behind, out,
        )  # fmt: skip
        row += rows


@kernel(inline="always")
def _one_face(ids, first_y, first_x, high, wide):
    """Whether all samples (high, wide) from a first one on see what that one sees."""
    face = ids[first_y, first_x]
    for Y in range(first_y, first_y + high):
        for X in range(first_x, first_x + wide):
            if ids[Y, X] != face:
                return False
    return True


@kernel(inline="always")
def _mean_weights(bary, first_y, first_x, high, wide):
    inner, outer = 0.0, 0.0
    for Y in range(first_y, first_y + high):
        for X in range(first_x, first_x + wide):
            inner += bary[Y, X, 0]
            outer += bary[Y, X, 1]
    return inner / (high * wide), outer / (high * wide)


@kernel(inline="always")
def _is_plain(faces, f, normals, colours):
    i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
    most = 0.0
    for c in range(3):
        most = max(most, abs(normals[i, c] - normals[j, c]), abs(normals[i, c] - normals[k, c]))
        if colours[i, c] != colours[j, c] or colours[i, c] != colours[k, c]:
            return False
    return most < PLAIN


@kernel(fastmath=LOOSE)
def _gather(
    ids, bary, faces, surface_of, vertices, normals, colours, table, eye, axis, footprint, samples, on, each, groups,
    whose, background, image, coverage,
):  # fmt: skip
    """Fill ``groups`` and ``whose`` with what is shaded as one in one row or two; how many there are.

    ``image`` and ``coverage``, of the rows, begin with what is seen of the background. ``on`` and ``each`` are scratch:
    the surface, place, normal, its length and the breadth of each sample of a pixel.
    """
    many, width = samples * samples, ids.shape[1] // samples
    share = 1.0 / many
    flat = axis[0] != 0.0 or axis[1] != 0.0 or axis[2] != 0.0
    paired = image.shape[0] == 2
    found = 0
    for number in range(4 * ((width + 1) // 2) if paired else width):
        row, px = 0, number
        if paired:
            row, px = (number >> 1) & 1, 2 * (number >> 2) + (number & 1)
            if px >= width:
                continue
        first_y, first_x = row * samples, px * samples
        face = ids[first_y, first_x]
        block = False
        if paired and number & 3 == 0:
            blocked = False  # the pixels that follow belong to a block
            if face >= 0 and px + 1 < width and _one_face(ids, first_y, first_x, 2 * samples, 2 * samples):
                block = table[surface_of[face], CATCHER] <= 0.0 and _is_plain(faces, face, normals, colours)
                blocked = block
        elif paired and blocked:
            continue
        if block:
            for r in range(2):
                for c in range(3):
                    image[r, px, c] = 0.0
                    image[r, px + 1, c] = 0.0
                coverage[r, px] = 1.0
                coverage[r, px + 1] = 1.0
        seen = many
        if not block:
            seen = 0
            for Y in range(first_y, first_y + samples):
                for X in range(first_x, first_x + samples):
                    seen += ids[Y, X] >= 0
            bare = (many - seen) * share
            for c in range(3):
                image[row, px, c] = bare * background[row, px, c]
            coverage[row, px] = 0.0
            if seen == 0:
                continue
        # One face fills the pixel, or block: its mean place is that of the mean weights.
        alone = block or (many > 1 and _one_face(ids, first_y, first_x, samples, samples))
        inner, outer = 0.0, 0.0
        if alone:
            side = 2 * samples if block else samples
            inner, outer = _mean_weights(bary, first_y, first_x, side, side)
        for sample in range(1 if alone else many):
            Y, X = first_y + sample // samples, first_x + sample % samples
            f = ids[Y, X]
            if f < 0:
                on[sample] = -1
                continue
            s = surface_of[f]
            on[sample] = s
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            wj, wk = inner, outer
            if not alone:
                wj, wk = float(bary[Y, X, 0]), float(bary[Y, X, 1])
            x, y, z = _blended(vertices, i, j, k, wj, wk)
            nx, ny, nz = _blended(normals, i, j, k, wj, wk)
            length = math.sqrt(nx * nx + ny * ny + nz * nz)
            size = 1.0 / (length + 1e-20)
            vx, vy, vz, breadth = -axis[0], -axis[1], -axis[2], footprint
            if not flat:
                vx, vy, vz = eye[0] - x, eye[1] - y, eye[2] - z
                breadth = footprint * math.sqrt(vx * vx + vy * vy + vz * vz)
            if table[s, TWO_SIDED] > 0.0:
                gx, gy, gz = _cross(vertices, i, j, k)
                if gx * vx + gy * vy + gz * vz < 0.0:
                    size = -size
            each[0, sample], each[1, sample], each[2, sample] = x, y, z
            each[3, sample], each[4, sample], each[5, sample] = nx * size, ny * size, nz * size
            each[6, sample], each[7, sample] = length, breadth
        left, first = 1 if alone else seen, 0
        while left > 0:
            while on[first] < 0:
                first += 1
            s = on[first]
            count, members = 0, 0
            x, y, z, nx, ny, nz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            if alone:
                count, members, left = many, -1, 0
                x, y, z, nx, ny, nz = each[0, 0], each[1, 0], each[2, 0], each[3, 0], each[4, 0], each[5, 0]
            else:
                reach = (CLOSE * each[7, first]) ** 2
                for sample in range(first, many):
                    if on[sample] != s:
                        continue
                    dx, dy = each[0, sample] - each[0, first], each[1, sample] - each[1, first]
                    dz = each[2, sample] - each[2, first]
                    cosine = each[3, sample] * each[3, first] + each[4, sample] * each[4, first]
                    cosine += each[5, sample] * each[5, first]
                    if sample > first and (dx * dx + dy * dy + dz * dz >= reach or cosine <= ALIKE):
                        continue
                    x, y, z = x + each[0, sample], y + each[1, sample], z + each[2, sample]
                    length = each[6, sample]
                    nx, ny = nx + length * each[3, sample], ny + length * each[4, sample]
                    nz += length * each[5, sample]
                    on[sample] = -1
                    members |= 1 << sample
                    count += 1
                left -= count
                size = 1.0 / count
                x, y, z = x * size, y * size, z * size
                size = 1.0 / (math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-20)
                nx, ny, nz = nx * size, ny * size, nz * size
            vx, vy, vz, size = -axis[0], -axis[1], -axis[2], 1.0
            if not flat:
                vx, vy, vz = eye[0] - x, eye[1] - y, eye[2] - z
                size = math.sqrt(vx * vx + vy * vy + vz * vz) + 1e-20
                vx, vy, vz = vx / size, vy / size, vz / size
            groups[PLACE, found], groups[PLACE + 1, found], groups[PLACE + 2, found] = x, y, z
            groups[NORMAL, found], groups[NORMAL + 1, found], groups[NORMAL + 2, found] = nx, ny, nz
            groups[VIEW, found], groups[VIEW + 1, found], groups[VIEW + 2, found] = vx, vy, vz
            groups[BREADTH, found] = footprint * math.sqrt(count) * size
            whose[ROW, found], whose[PIXEL, found], whose[SURFACE, found] = row, px, s
            whose[MEMBERS, found], whose[COUNT, found] = members, count
            whose[KIND_OF, found] = BLOCK if block else (ALL if alone else SOME)
            found += 1
            if not block and not table[s, CATCHER] > 0.0:
                coverage[row, px] += share * count
    return found


@kernel(fastmath=LOOSE)
def _shadows(
    y0, count, ids, bary, faces, vertices, samples, groups, whose, m, maps, frames, tiles, softness, kept
):  # fmt: skip
    """Part of a light, ``kept`` (4, count), that reaches each group's pixels; of half shadows the mean of samples.

    The first rows of a light's frame give texels from the middle of its map, the third the depth, the fourth what the
    first two are divided by: the distance along the axis of a lamp, or 1.
    """
    kept[:, :count] = 1.0
    if m < 0:
        return
    n, last = maps.shape[1], tiles.shape[1] - 1
    middle = 0.5 * (n - 1)
    ux, uy, uz, u0 = frames[m, 0, 0], frames[m, 0, 1], frames[m, 0, 2], frames[m, 0, 3]
    vx, vy, vz, v0 = frames[m, 1, 0], frames[m, 1, 1], frames[m, 1, 2], frames[m, 1, 3]
    dx, dy, dz, d0 = frames[m, 2, 0], frames[m, 2, 1], frames[m, 2, 2], frames[m, 2, 3]
    wx, wy, wz, w0 = frames[m, 3, 0], frames[m, 3, 1], frames[m, 3, 2], frames[m, 3, 3]
    scale = math.sqrt(ux * ux + uy * uy + uz * uz)
    for e in range(count):
        nx, ny, nz = groups[NORMAL, e], groups[NORMAL + 1, e], groups[NORMAL + 2, e]
        along = dx * nx + dy * ny + dz * nz
        if along > -1e-6:
            continue  # turned away: unlit anyhow
        # How the depth of the surface itself changes from texel to texel, so that it does not hide itself.
        across = -1.0 / (scale * along)
        lean_u = min(max((ux * nx + uy * ny + uz * nz) * across, -3.0), 3.0)
        lean_v = min(max((vx * nx + vy * ny + vz * nz) * across, -3.0), 3.0)
        members = whose[MEMBERS, e]
        for q in range(4 if whose[KIND_OF, e] == BLOCK else 1):
            first_y = (whose[ROW, e] + (q >> 1)) * samples
            first_x = (whose[PIXEL, e] + (q & 1)) * samples
            taken, total = 0, 0.0
            for sample in range(samples * samples):
                if not (members >> sample) & 1:
                    continue
                Y, X = first_y + sample // samples, first_x + sample % samples
                f = ids[Y, X]
                x, y, z = _blended(
                    vertices, faces[f, 0], faces[f, 1], faces[f, 2], float(bary[Y, X, 0]), float(bary[Y, X, 1])
                )
                lit = 1.0
                far = wx * x + wy * y + wz * z + w0
                if far > 0.0:
                    per_metre, texel = scale / far, far / scale  # texels, and their breadth
                    x, y, z = x + 1.5 * texel * nx, y + 1.5 * texel * ny, z + 1.5 * texel * nz
                    near = 1.0 / (wx * x + wy * y + wz * z + w0)
                    u = (ux * x + uy * y + uz * z + u0) * near + middle
                    v = (vx * x + vy * y + vz * z + v0) * near + middle
                    d = dx * x + dy * y + dz * z + d0 - 0.5 * texel
                    slope_u, slope_v = lean_u * texel, lean_v * texel
                    reach = max(softness * per_metre * 0.8, 1.5)
                    before = False
                    if not (u < -reach or v < -reach or u > n - 1 + reach or v > n - 1 + reach):
                        # Where nothing on the tiles around lies before the surface, no tap can find what does.
                        limit = d + (abs(slope_u) + abs(slope_v)) * reach
                        first_i, last_i = max(int(u - reach - 1.0) // TILE, 0), min(int(u + reach + 1.0) // TILE, last)
                        for j in range(
                            max(int(v - reach - 1.0) // TILE, 0), min(int(v + reach + 1.0) // TILE, last) + 1
                        ):
                            for i in range(first_i, last_i + 1):
                                before = before or tiles[m, j, i] < limit
                    if before:
                        lit = _lit(
                            maps, m, u, v, d, slope_u, slope_v, 0.5 * texel, reach, softness * per_metre, X,
                            Y + y0 * samples,
                        )  # fmt: skip
                total += lit
                taken += 1
                if taken == 1 and (lit <= 0.0 or lit >= 1.0):
                    break
            kept[q, e] = total / taken


@kernel(fastmath=LOOSE)
def _sky(count, groups, maps, table, bounds, near, out):
    """``out`` (4, count): light of a sky on each group, white above and black below, as shares of an even white one.

    The first two are light from everywhere and from above, the others what of each is hidden; the first is one where
    they have been divided by it.
    """
    out[:, :count] = 0.0
    if table.shape[0] == 0:
        for e in range(count):
            out[0, e] = 1.0
            out[1, e] = 0.5 + groups[NORMAL + 1, e] / 3.0
        return
    n, nears = maps.shape[2], 0
    for e in range(count):
        x, y, z = groups[PLACE, e], groups[PLACE + 1, e], groups[PLACE + 2, e]
        if bounds[0, 0] < x < bounds[1, 0] and bounds[0, 1] < y < bounds[1, 1] and bounds[0, 2] < z < bounds[1, 2]:
            near[nears] = e
            nears += 1
    for m in range(table.shape[0]):
        ax, ay, az, step = table[m, 0], table[m, 1], table[m, 2], table[m, STEP]
        ux, uy, uz, u0 = table[m, ROWS], table[m, ROWS + 1], table[m, ROWS + 2], table[m, ROWS + 3]
        vx, vy, vz, v0 = table[m, ROWS + 4], table[m, ROWS + 5], table[m, ROWS + 6], table[m, ROWS + 7]
        dx, dy, dz, d0 = table[m, ROWS + 8], table[m, ROWS + 9], table[m, ROWS + 10], table[m, ROWS + 11]
        for e in range(count):
            cosine = groups[NORMAL, e] * ax + groups[NORMAL + 1, e] * ay + groups[NORMAL + 2, e] * az
            out[0, e] += abs(cosine)
            out[1, e] += 0.5 * (abs(cosine) + ay * cosine)
        for number in range(nears):
            e = near[number]
            nx, ny, nz = groups[NORMAL, e], groups[NORMAL + 1, e], groups[NORMAL + 2, e]
            x, y, z = groups[PLACE, e] + step * nx, groups[PLACE + 1, e] + step * ny, groups[PLACE + 2, e] + step * nz
            u, v = ux * x + uy * y + uz * z + u0, vx * x + vy * y + vz * z + v0
            if not (0.0 <= u < n - 1 and 0.0 <= v < n - 1):
                continue
            d = dx * x + dy * y + dz * z + d0
            iu, iv = int(u), int(v)
            cosine = nx * ax + ny * ay + nz * az
            if cosine < 0.0:  # the other end of the axis
                a, b = maps[m, 1, iv, iu] - d, maps[m, 1, iv, iu + 1] - d
                e0, e1 = maps[m, 1, iv + 1, iu] - d, maps[m, 1, iv + 1, iu + 1] - d
            else:
                a, b = d - maps[m, 0, iv, iu], d - maps[m, 0, iv, iu + 1]
                e0, e1 = d - maps[m, 0, iv + 1, iu], d - maps[m, 0, iv + 1, iu + 1]
            if a > 0.0 or b > 0.0 or e0 > 0.0 or e1 > 0.0:
                fu, fv = u - iu, v - iv
                top = (1.0 - fu) * _hides(a) + fu * _hides(b)
                low = (1.0 - fu) * _hides(e0) + fu * _hides(e1)
                hidden = (1.0 - fv) * top + fv * low
                out[2, e] += hidden * abs(cosine)
                out[3, e] += hidden * 0.5 * (abs(cosine) + ay * cosine)
    for e in range(count):
        weight = 1.0 / out[0, e]
        out[1, e] *= weight
        out[2, e] *= weight
        out[3, e] *= weight


@kernel(fastmath=LOOSE)
def _colour(
    count, ids, bary, faces, colours, places, uvs, table, texels, decode, lights, up, down, samples, groups, whose,
    kept, open_part, background, image,
):  # fmt: skip
    """Add the light of the groups to ``image``, of one row or two."""
    share = 1.0 / (samples * samples)
    albedo, texel, sky, open_sky, ao = np.empty(3), np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    direct, shine = np.empty((lights.shape[0], 3)), np.empty(lights.shape[0])
    for e in range(count):
        s, members = whose[SURFACE, e], whose[MEMBERS, e]
        part = share * whose[COUNT, e]
        x, y, z = groups[PLACE, e], groups[PLACE + 1, e], groups[PLACE + 2, e]
        nx, ny, nz = groups[NORMAL, e], groups[NORMAL + 1, e], groups[NORMAL + 2, e]
        vx, vy, vz = groups[VIEW, e], groups[VIEW + 1, e], groups[VIEW + 2, e]
        for c in range(3):
            open_sky[c] = down[c] + (up[c] - down[c]) * open_part[1, e]
            sky[c] = open_sky[c] - down[c] * open_part[2, e] - (up[c] - down[c]) * open_part[3, e]
            ao[c] = min(sky[c] / (open_sky[c] + 1e-12), 1.0)
        gloss = table[s, GLOSS]
        power = 8 + int(120.0 * gloss + 0.5)
        for n in range(lights.shape[0]):
            hx, hy, hz, fall = _towards(lights, n, x, y, z)
            cosine = max(nx * hx + ny * hy + nz * hz, 0.0)
            for c in range(3):
                direct[n, c] = cosine * fall * lights[n, LAMP + c]
            shine[n] = 0.0
            if gloss > 0.0 and cosine > 0.0:
                mid = math.sqrt((hx + vx) ** 2 + (hy + vy) ** 2 + (hz + vz) ** 2) + 1e-20
                half = max((nx * (hx + vx) + ny * (hy + vy) + nz * (hz + vz)) / mid, 0.0)
                shine[n] = gloss * 0.04 * 0.125 * (power + 8.0) * _whole_power(half, power)
        row, px = whose[ROW, e], whose[PIXEL, e]
        if table[s, CATCHER] > 0.0:
            total, rest = 1e-12, 1e-12
            for c in range(3):
                for n in range(lights.shape[0]):
                    total += direct[n, c]
                    rest += direct[n, c] * kept[n, 0, e]
                total += open_sky[c]
                rest += sky[c]
            for c in range(3):
                image[row, px, c] += part * background[row, px, c] * rest / total
            continue
        facing = max(nx * vx + ny * vy + nz * vz, 0.0)
        mirrored = 0.0
        if gloss > 0.0:
            grazing = 1.0 - facing
            grazing *= grazing * grazing * grazing * grazing
            mirrored = gloss * (0.04 + 0.96 * grazing)
        # The sky mirrored, where the surface is open to it.
        ry = 0.5 + 0.5 * min(max(2.0 * facing * ny - vy, -1.0), 1.0)
        patterned, textured, kind = table[s, KIND] > 0.0, table[s, TEXTURE] >= 0.0, whose[KIND_OF, e]
        for q in range(4 if kind == BLOCK else 1):
            first_y, first_x = (row + (q >> 1)) * samples, (px + (q & 1)) * samples
            if patterned or textured or q == 0:
                once = kind != SOME and not textured
                inner, outer = 0.0, 0.0
                if once and (patterned or kind == ALL):
                    inner, outer = _mean_weights(bary, first_y, first_x, samples, samples)
                qx, qy, qz, gx, gz = 0.0, 0.0, 0.0, 0.0, 0.0
                red, green, blue, looks = 0.0, 0.0, 0.0, 0
                for sample in range(samples * samples):
                    if not (members >> sample) & 1:
                        continue
                    Y, X = first_y + sample // samples, first_x + sample % samples
                    f = ids[Y, X]
                    i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
                    wj, wk = inner, outer
                    if not once:
                        wj, wk = float(bary[Y, X, 0]), float(bary[Y, X, 1])
                    r, g, b = _blended(colours, i, j, k, wj, wk)
                    if textured:
                        wi = 1.0 - wj - wk
                        tu = wi * uvs[i, 0] + wj * uvs[j, 0] + wk * uvs[k, 0]
                        tv = wi * uvs[i, 1] + wj * uvs[j, 1] + wk * uvs[k, 1]
                        texel[0], texel[1], texel[2] = r, g, b
                        _texture(texels, decode, table, s, tu, tv, texel)
                        r, g, b = texel[0], texel[1], texel[2]
                    red, green, blue = red + r, green + g, blue + b
                    if patterned:
                        ax, ay, az = _blended(places, i, j, k, wj, wk)
                        qx, qy, qz = qx + ax, qy + ay, qz + az
                        if looks == 0:
                            gx, _, gz = _cross(places, i, j, k)
                    looks += 1
                    if once:
                        break
                size = 1.0 / looks
                albedo[0], albedo[1], albedo[2] = red * size, green * size, blue * size
                if patterned:
                    second = _pattern(table, s, qx * size, qy * size, qz * size, gx, gz, groups[BREADTH, e])
                    for c in range(3):
                        albedo[c] += second * (table[s, COLOUR + c] - albedo[c])
                for c in range(3):
                    texel[c] = albedo[c] * open_sky[c] * _bounced(ao[c], albedo[c])
                    texel[c] += mirrored * ao[c] * (down[c] + (up[c] - down[c]) * ry)
            for c in range(3):
                value = texel[c]
                for n in range(lights.shape[0]):
                    value += kept[n, q, e] * direct[n, c] * (albedo[c] + shine[n])
                image[row + (q >> 1), px + (q & 1), c] += part * value


@kernel(inline="always")
def _whole_power(x, n):
    out = 1.0
    while n > 0:
        if n & 1:
            out *= x
        x *= x
        n >>= 1
    return out


@kernel(inline="always")
def _blended(points, i, j, k, wj, wk):
    wi = 1.0 - wj - wk
    return (
        wi * points[i, 0] + wj * points[j, 0] + wk * points[k, 0],
        wi * points[i, 1] + wj * points[j, 1] + wk * points[k, 1],
        wi * points[i, 2] + wj * points[j, 2] + wk * points[k, 2],
    )


@kernel(inline="always")
def _cross(points, i, j, k):
    ux, uy, uz = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1], points[j, 2] - points[i, 2]
    vx, vy, vz = points[k, 0] - points[i, 0], points[k, 1] - points[i, 1], points[k, 2] - points[i, 2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx


@kernel(inline="always")
def _towards(lights, n, x, y, z):
    """Unit direction to a light, and how much of its strength arrives."""
    if lights[n, POINT] <= 0.0:
        return lights[n, AT], lights[n, AT + 1], lights[n, AT + 2], 1.0
    dx, dy, dz = lights[n, AT] - x, lights[n, AT + 1] - y, lights[n, AT + 2] - z
    squared = dx * dx + dy * dy + dz * dz + 1e-12
    size = math.sqrt(squared)
    return dx / size, dy / size, dz / size, 1.0 / squared


@kernel(inline="always")
def _bounced(ao, albedo):
    """Openness with light between near surfaces of one colour (Jimenez et al. 2016, Practical Realtime Strategies)."""
    a, b, c = 2.0404 * albedo - 0.3324, -4.7951 * albedo + 0.6417, 2.7552 * albedo + 0.6903
    return max(ao, min(((ao * a + b) * ao + c) * ao, 1.0))


@kernel(fastmath=LOOSE)
def _lit(maps, m, u, v, d, slope_u, slope_v, bias, reach, softness, px, py):
    """Part of a light (0 to 1) that reaches a place: softer the farther what hides it (Fernando 2005, PCSS).

    ``d`` is the depth less ``bias``, ``softness`` in texels for each metre that what hides it lies before.
    """
    n = maps.shape[1]
    # Interleaved gradient noise (Jimenez 2014): neighbours turn the taps apart.
    turn = 0.06711056 * px + 0.00583715 * py
    turn = 52.9829189 * (turn - math.floor(turn))
    number = int(TURNS * (turn - math.floor(turn)))
    turn_x, turn_y = TURN[number, 0], TURN[number, 1]
    blockers, total = 0, 0.0
    for t in range(TAPS):
        du = reach * (DISC[t, 0] * turn_x - DISC[t, 1] * turn_y)
        dv = reach * (DISC[t, 0] * turn_y + DISC[t, 1] * turn_x)
        iu, iv = math.floor(u + du + 0.5), math.floor(v + dv + 0.5)
        if iu < 0 or iv < 0 or iu >= n or iv >= n:
            continue
        if maps[m, iv, iu] < d + slope_u * du + slope_v * dv:
            blockers += 1
            total += maps[m, iv, iu]
    if blockers == 0:
        return 1.0
    reach = min(max(softness * (d + bias - total / blockers), 1.0), reach)
    lit = 0.0
    for t in range(TAPS):
        du = reach * (DISC[t, 0] * turn_x - DISC[t, 1] * turn_y)
        dv = reach * (DISC[t, 0] * turn_y + DISC[t, 1] * turn_x)
        iu, iv = math.floor(u + du + 0.5), math.floor(v + dv + 0.5)
        if iu < 0 or iv < 0 or iu >= n or iv >= n or maps[m, iv, iu] >= d + slope_u * du + slope_v * dv:
            lit += 1.0
    return lit / TAPS


@kernel(inline="always")
def _hides(before):
    """How much of the sky something hides that is so far ahead, metres."""
    return min(max((FAR - before) / (FAR - NEAR), 0.0), 1.0) if before > 0.0 else 0.0


@kernel()
def _texture(texels, decode, table, s, u, v, albedo):
    """Multiply ``albedo`` (3,) by a repeating sRGB texture, bilinear in linear light."""
    first, height, width = int(table[s, TEXTURE]), int(table[s, TEXTURE_H]), int(table[s, TEXTURE_W])
    x, y = u * width - 0.5, (1.0 - v) * height - 0.5
    x0, y0 = math.floor(x), math.floor(y)
    fx, fy = x - x0, y - y0
    xa, ya = int(x0) % width, int(y0) % height
    xb, yb = (xa + 1) % width, (ya + 1) % height
    for c in range(3):
        top = (1.0 - fx) * decode[texels[first + ya * width + xa, c]] + fx * decode[texels[first + ya * width + xb, c]]
        low = (1.0 - fx) * decode[texels[first + yb * width + xa, c]] + fx * decode[texels[first + yb * width + xb, c]]
        albedo[c] *= (1.0 - fy) * top + fy * low


@kernel(fastmath=LOOSE)
def _pattern(table, s, x, y, z, gx, gz, width):
    """Share (0 to 1) of the second colour at an undeformed place whose surface faces (gx, ., gz)."""
    kind, size, seed = int(table[s, KIND]), table[s, SIZE], int(table[s, SEED])
    side = abs(gx) > abs(gz)
    e = ACROSS_Z if side else ACROSS_X
    a = (x * table[s, ALONG] + y * table[s, ALONG + 1] + z * table[s, ALONG + 2]) / size
    b = (x * table[s, e] + y * table[s, e + 1] + z * table[s, e + 2]) / size
    width = max(width / size, 1e-6)
    if kind == 1:
        return _band(a, width)
    if kind == 2:
        p, q = _band(a, width), _band(b, width)
        return p + q - 2.0 * p * q
    if kind == 3:
        return 0.5 * (_band(a, width) + _band(b, width))
    if kind == 4:
        r = math.sqrt((a - math.floor(a) - 0.5) ** 2 + (b - math.floor(b) - 0.5) ** 2)
        dot = min(max((0.3 - r) / width + 0.5, 0.0), 1.0)
        fade = min(max(2.0 * width - 0.5, 0.0), 1.0)
        return dot + fade * (0.2827 - dot)
    if kind == 5:
        value = min(max(2.0 * _noise(x / size, y / size, z / size, seed) - 0.5, 0.0), 1.0)
        return value * value * (3.0 - 2.0 * value)
    if kind == 6:
        first = min(max((_noise(x / size, y / size, z / size, seed) - 0.53) / 0.02 + 0.5, 0.0), 1.0)
        second = min(max((_noise(x / size, y / size, z / size, seed + 7) - 0.53) / 0.02 + 0.5, 0.0), 1.0)
        return max(first, 0.45 * second)
    if side or gz < 0.0:
        return 0.0
    a, b = a - table[s, CENTRE] / size, b - table[s, CENTRE + 1] / size
    r = math.sqrt(a * a + b * b)
    edge = 0.36 + 0.28 * (_noise(2.0 * a / (r + 1e-9), 2.0 * b / (r + 1e-9), 0.0, seed) - 0.5)
    inside = min(max((edge - r) / width + 0.5, 0.0), 1.0)
    holes = min(max((_noise(6.0 * a, 6.0 * b, 0.0, seed + 3) - 0.42) / 0.04 + 0.5, 0.0), 1.0)
    return inside * holes


@kernel(inline="always")
def _band(t, width):
    """1 in half of each period, 0 in the other, and as much of both as a sample of ``width`` periods sees."""
    u = t - math.floor(t)
    return min(max((0.5 - abs(2.0 * u - 1.0)) / (2.0 * width) + 0.5, 0.0), 1.0)


@kernel(fastmath=LOOSE)
def _noise(x, y, z, seed):
    """Value noise of two octaves, 0 to 1."""
    return 0.67 * _octave(x, y, z, seed) + 0.33 * _octave(2.03 * x, 2.03 * y, 2.03 * z, seed + 101)


@kernel(fastmath=LOOSE)
def _octave(x, y, z, seed):
    x0, y0, z0 = math.floor(x), math.floor(y), math.floor(z)
    fx, fy, fz = x - x0, y - y0, z - z0
    fx, fy, fz = fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy), fz * fz * (3.0 - 2.0 * fz)
    # what the hash makes of each coordinate, and of the next
    i, j, k = int(x0) * HASH_X, int(y0) * HASH_Y, int(z0) * HASH_Z ^ seed * HASH_SEED
    i1, j1, k1 = i + HASH_X, j + HASH_Y, (int(z0) + 1) * HASH_Z ^ seed * HASH_SEED
    ax = (1.0 - fx) * _hash(i ^ j ^ k) + fx * _hash(i1 ^ j ^ k)
    bx = (1.0 - fx) * _hash(i ^ j1 ^ k) + fx * _hash(i1 ^ j1 ^ k)
    cx = (1.0 - fx) * _hash(i ^ j ^ k1) + fx * _hash(i1 ^ j ^ k1)
    dx = (1.0 - fx) * _hash(i ^ j1 ^ k1) + fx * _hash(i1 ^ j1 ^ k1)
    return (1.0 - fz) * ((1.0 - fy) * ax + fy * bx) + fz * ((1.0 - fy) * cx + fy * dx)


@kernel(inline="always")
def _hash(h):
    """A number in [0, 1) that looks random, from a whole number."""
    h &= 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return (h ^ (h >> 16)) * (1.0 / 4294967296.0)
