"""Compiled twins of :mod:`marrow.render.mesh`: projection, triangle rasteriser, gathers, normals.

Edge functions are evaluated on screen positions snapped to 1/4096 pixel. In float64 they are then exact for positions
within 16384 pixels of each other, so that shared edges neither crack nor overlap (top-left rule).
"""

from __future__ import annotations

import math

import numpy as np

from marrow._compile import kernel

SNAP = 4096.0
#: Half a unit of the exact edge function (1 / SNAP²): ``E > -HALF_UNIT`` means ``E >= 0``.
HALF_UNIT = 0.5 / (SNAP * SNAP)
BEHIND = -1.0
UNSEEN = -2.0
PERSPECTIVE, ORTHOGRAPHIC, FISHEYE = 0, 1, 2


@kernel()
def project(vertices_cam, K, lens, distortion, max_radius2, fisheye_limit, near, far, x0, y0, xy, inverse_depth):
    """Project (V, 3) camera points into ``xy`` (V, 2) snapped pixels of the window and ``inverse_depth`` (V,).

    ``inverse_depth`` is 1/z; for a fisheye 1/distance; for an orthographic lens ``far`` - z, positive also behind the
    near plane. It is BEHIND where z < near and UNSEEN where the lens sees nothing (or the point is not finite).
    """
    k1, k2, p1, p2, k3, k4, k5, k6 = distortion
    distorted = max_radius2 < np.inf
    for i in range(vertices_cam.shape[0]):
        z = float(vertices_cam[i, 2])
        if lens != PERSPECTIVE:
            x, y = float(vertices_cam[i, 0]), float(vertices_cam[i, 1])
            nearness = far - z
            if lens == FISHEYE:
                across = math.sqrt(x * x + y * y)
                theta = math.atan2(across, z)
                distance = math.sqrt(across * across + z * z)
                if not (distance >= near and theta <= fisheye_limit):
                    inverse_depth[i] = UNSEEN
                    continue
                scale = theta / across if across > 0.0 else 1.0 / distance
                x, y = x * scale, y * scale
                nearness = 1.0 / distance
            u = K[0, 0] * x + K[0, 1] * y + K[0, 2] - x0
            v = K[1, 0] * x + K[1, 1] * y + K[1, 2] - y0
            if not (abs(u) < 1e9 and abs(v) < 1e9 and nearness > 0.0):
                inverse_depth[i] = UNSEEN
                continue
            xy[i, 0] = math.floor(u * SNAP + 0.5) / SNAP
            xy[i, 1] = math.floor(v * SNAP + 0.5) / SNAP
            inverse_depth[i] = nearness
            continue
        if not z >= near:
            inverse_depth[i] = BEHIND if z < near else UNSEEN
            continue
        iz = 1.0 / z
        x = vertices_cam[i, 0] * iz
        y = vertices_cam[i, 1] * iz
        if distorted:
            r2 = x * x + y * y
            if r2 > max_radius2:
                inverse_depth[i] = UNSEEN
                continue
            radial = (1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1.0 + r2 * (k4 + r2 * (k5 + r2 * k6)))
            dx = 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x)
            dy = p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y
            x, y = x * radial + dx, y * radial + dy
        u = K[0, 0] * x + K[0, 1] * y + K[0, 2] - x0
        v = K[1, 0] * x + K[1, 1] * y + K[1, 2] - y0
        if not (abs(u) < 1e9 and abs(v) < 1e9):
            inverse_depth[i] = UNSEEN
            continue
        xy[i, 0] = math.floor(u * SNAP + 0.5) / SNAP
        xy[i, 1] = math.floor(v * SNAP + 0.5) / SNAP
        inverse_depth[i] = iz


@kernel()
def homogeneous(vertices_cam, K, out):
    """Homogeneous pixels ``out`` (V, 3) of camera points (V, 3)."""
    for i in range(vertices_cam.shape[0]):
        x, y, z = float(vertices_cam[i, 0]), float(vertices_cam[i, 1]), float(vertices_cam[i, 2])
        for r in range(3):
            out[i, r] = K[r, 0] * x + K[r, 1] * y + K[r, 2] * z


@kernel()
def rasterize_rows(xy, inverse_depth, vertices_px, faces, near, far, cull, row0, row1, ids, bary, depth):
    """Fill rows ``row0 <= y < row1`` of ``ids`` (H, W), ``bary`` (H, W, 2) and ``depth`` (H, W).

    ``vertices_px`` (V, 3) are homogeneous pixels of the window; only triangles that cross the near plane read them.
    ``cull`` (F,) says which faces are left out when seen from behind. ``far`` > 0 says that ``inverse_depth`` is
    ``far`` - z (orthographic), and is 0 otherwise. ``depth`` holds 1/z while the triangles are drawn (0: nothing yet)
    and z at the end. Ties go to the lower face id.
    """
    width = ids.shape[1]
    for y in range(row0, row1):
        for x in range(width):
            ids[y, x] = -1
            depth[y, x] = 0.0
            bary[y, x, 0] = 0.0
            bary[y, x, 1] = 0.0
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        zi, zj, zk = inverse_depth[i], inverse_depth[j], inverse_depth[k]
        if zi > 0.0 and zj > 0.0 and zk > 0.0:
            ay, by, cy = xy[i, 1], xy[j, 1], xy[k, 1]
            y_first, y_last = max(row0, math.ceil(min(ay, by, cy))), min(row1 - 1, math.floor(max(ay, by, cy)))
            if y_first > y_last:
                continue
            ax, bx, cx = xy[i, 0], xy[j, 0], xy[k, 0]
            x_first, x_last = max(0, math.ceil(min(ax, bx, cx))), min(width - 1, math.floor(max(ax, bx, cx)))
            area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
            if x_first > x_last or area == 0.0 or (cull[f] and area > 0.0):
                continue
            _draw_triangle(
                f, ax, ay, bx, by, cx, cy, area, zi, zj, zk, near, far, x_first, x_last, y_first, y_last, ids, bary,
                depth,
            )  # fmt: skip
        elif (zi > 0.0 or zj > 0.0 or zk > 0.0) and zi != UNSEEN and zj != UNSEEN and zk != UNSEEN:
            _draw_clipped(
                f, vertices_px[i], vertices_px[j], vertices_px[k], near, cull[f], row0, row1, ids, bary, depth
            )
    for y in range(row0, row1):
        for x in range(width):
            if depth[y, x] <= 0.0:
                depth[y, x] = np.inf
            elif far > 0.0:
                depth[y, x] = far - depth[y, x]
            else:
                depth[y, x] = np.float32(1.0) / depth[y, x]


@kernel(inline="always")
def _draw_triangle(
    f, ax, ay, bx, by, cx, cy, area, za, zb, zc, near, far, x_first, x_last, y_first, y_last, ids, bary, depth
):  # fmt: skip
    """A triangle wholly in front of the near plane, or orthographic: exact edge functions on snapped positions."""
    s = 1.0 if area > 0.0 else -1.0
    dxa, dya = s * (cx - bx), s * (cy - by)  # the edge opposite a, and so on
    dxb, dyb = s * (ax - cx), s * (ay - cy)
    dxc, dyc = s * (bx - ax), s * (by - ay)
    limit_a = -HALF_UNIT if dya < 0.0 or (dya == 0.0 and dxa > 0.0) else 0.0
    limit_b = -HALF_UNIT if dyb < 0.0 or (dyb == 0.0 and dxb > 0.0) else 0.0
    limit_c = -HALF_UNIT if dyc < 0.0 or (dyc == 0.0 and dxc > 0.0) else 0.0
    scale = s / area
    za, zb, zc = za * scale, zb * scale, zc * scale
    flat = far > 0.0  # orthographic: weights are those on the screen, and the near plane is looked at in each pixel
    limit = np.float32(far - near) if flat else np.float32(np.inf)
    wide = x_last - x_first > 8
    for y in range(y_first, y_last + 1):
        first, last = x_first, x_last
        if wide:  # straight to where the edges cross the row; a pixel more on either side is looked at exactly
            low, high = float(x_first), float(x_last)
            low, high = _cut(dxa * (y - by) + dya * bx, dya, low, high)
            low, high = _cut(dxb * (y - cy) + dyb * cx, dyb, low, high)
            low, high = _cut(dxc * (y - ay) + dyc * ax, dyc, low, high)
            first, last = max(first, math.floor(low)), min(last, math.ceil(high))
        ea = dxa * (y - by) - dya * (first - bx)
        eb = dxb * (y - cy) - dyb * (first - cx)
        ec = dxc * (y - ay) - dyc * (first - ax)
        for x in range(first, last + 1):
            if ea > limit_a and eb > limit_b and ec > limit_c:
                iz = ea * za + eb * zb + ec * zc
                iz32 = np.float32(iz)
                if iz32 > depth[y, x] and iz32 <= limit:
                    depth[y, x] = iz32
                    ids[y, x] = f
                    if flat:
                        bary[y, x, 0] = eb * scale
                        bary[y, x, 1] = ec * scale
                    else:
                        z = 1.0 / iz
                        bary[y, x, 0] = eb * zb * z
                        bary[y, x, 1] = ec * zc * z
            ea -= dya
            eb -= dyb
            ec -= dyc


@kernel(inline="always")
def _cut(e, de, low, high):
    """The part of ``low`` to ``high`` where ``e - de x`` is not below 0."""
    if de == 0.0 and e < 0.0:
        return low, low - 2.0
    if de > 0.0:
        return low, min(high, e / de)
    if de < 0.0:
        return max(low, e / de), high
    return low, high


@kernel()
def cover(xy, inverse_depth, faces, out):
    """Set ``out`` (H, W) where a triangle, all of it before the near plane, covers the pixel's centre."""
    height, width = out.shape
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ay, by, cy = xy[i, 1], xy[j, 1], xy[k, 1]
        y_first, y_last = max(0, math.ceil(min(ay, by, cy))), min(height - 1, math.floor(max(ay, by, cy)))
        if y_first > y_last:
            continue
        ax, bx, cx = xy[i, 0], xy[j, 0], xy[k, 0]
        x_first, x_last = max(0, math.ceil(min(ax, bx, cx))), min(width - 1, math.floor(max(ax, bx, cx)))
        if x_first > x_last or not (inverse_depth[i] > 0.0 and inverse_depth[j] > 0.0 and inverse_depth[k] > 0.0):
            continue
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area == 0.0:
            continue
        s = 1.0 if area > 0.0 else -1.0
        dxa, dya = s * (cx - bx), s * (cy - by)
        dxb, dyb = s * (ax - cx), s * (ay - cy)
        dxc, dyc = s * (bx - ax), s * (by - ay)
        limit_a = -HALF_UNIT if dya < 0.0 or (dya == 0.0 and dxa > 0.0) else 0.0
        limit_b = -HALF_UNIT if dyb < 0.0 or (dyb == 0.0 and dxb > 0.0) else 0.0
        limit_c = -HALF_UNIT if dyc < 0.0 or (dyc == 0.0 and dxc > 0.0) else 0.0
        for y in range(y_first, y_last + 1):
            for x in range(x_first, x_last + 1):
                if out[y, x]:
                    continue
                ea = dxa * (y - by) - dya * (x - bx)
                eb = dxb * (y - cy) - dyb * (x - cx)
                ec = dxc * (y - ay) - dyc * (x - ax)
                if ea > limit_a and eb > limit_b and ec > limit_c:
                    out[y, x] = True


@kernel()
def _draw_clipped(f, a, b, c, near, cull, row0, row1, ids, bary, depth):
    """A triangle that crosses the near plane: homogeneous edge functions, which need no clipped polygon.

    With v_i homogeneous pixels (x z, y z, z), the barycentrics of the ray (x, y, 1) are proportional to
    n_a = b × c, n_b = c × a, n_c = a × b and their sum to 1/z (Olano and Greer 1997).
    """
    x_low, x_high, y_low, y_high = _clipped_bounds(a, b, c, near)
    x_first, x_last = max(0, math.ceil(x_low)), min(ids.shape[1] - 1, math.floor(x_high))
    y_first, y_last = max(row0, math.ceil(y_low)), min(row1 - 1, math.floor(y_high))
    na0, na1, na2 = b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0]
    nb0, nb1, nb2 = c[1] * a[2] - c[2] * a[1], c[2] * a[0] - c[0] * a[2], c[0] * a[1] - c[1] * a[0]
    nc0, nc1, nc2 = a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
    volume = a[0] * na0 + a[1] * na1 + a[2] * na2
    if volume == 0.0 or (cull and volume > 0.0):
        return
    scale, most = 1.0 / volume, 1.0 / near
    na0, na1, na2 = na0 * scale, na1 * scale, na2 * scale
    nb0, nb1, nb2 = nb0 * scale, nb1 * scale, nb2 * scale
    nc0, nc1, nc2 = nc0 * scale, nc1 * scale, nc2 * scale
    for y in range(y_first, y_last + 1):
        for x in range(x_first, x_last + 1):
            wa = na0 * x + na1 * y + na2
            wb = nb0 * x + nb1 * y + nb2
            wc = nc0 * x + nc1 * y + nc2
            iz = wa + wb + wc
            if wa >= 0.0 and wb >= 0.0 and wc >= 0.0 and 0.0 < iz <= most:
                iz32 = np.float32(iz)
                if iz32 > depth[y, x]:
                    depth[y, x] = iz32
                    ids[y, x] = f
                    bary[y, x, 0] = wb / iz
                    bary[y, x, 1] = wc / iz


@kernel()
def _clipped_bounds(a, b, c, near):
    """Pixel bounds of the part of a triangle in front of the near plane, kept within ±1e6."""
    x_low, x_high, y_low, y_high = 1e6, -1e6, 1e6, -1e6
    corners = (a, b, c)
    for n in range(3):
        p, q = corners[n], corners[(n + 1) % 3]
        for end in range(2):
            if end == 0:
                if p[2] < near:
                    continue
                x, y = p[0] / p[2], p[1] / p[2]
            else:
                if (p[2] < near) == (q[2] < near):
                    continue
                t = (near - p[2]) / (q[2] - p[2])
                x, y = (p[0] + t * (q[0] - p[0])) / near, (p[1] + t * (q[1] - p[1])) / near
            x_low, x_high = min(x_low, max(x, -1e6)), max(x_high, min(x, 1e6))
            y_low, y_high = min(y_low, max(y, -1e6)), max(y_high, min(y, 1e6))
    return x_low, x_high, y_low, y_high


@kernel()
def interpolate(ids, bary, faces, attribute, background, out):
    """Twin of :func:`marrow.render.mesh.interpolate`: ``out`` (H, W, C) from ``attribute`` (V, C)."""
    channels = attribute.shape[1]
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            f = ids[y, x]
            if f < 0:
                for c in range(channels):
                    out[y, x, c] = background
                continue
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            wj, wk = bary[y, x, 0], bary[y, x, 1]
            wi = np.float32(1.0) - wj - wk
            for c in range(channels):
                out[y, x, c] = wi * attribute[i, c] + wj * attribute[j, c] + wk * attribute[k, c]


@kernel()
def vertex_normals(vertices, faces, out):
    """Twin of :func:`marrow.render.mesh.vertex_normals`: area-weighted unit normals into ``out`` (V, 3)."""
    out[:] = 0.0
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2]
        vx, vy, vz = vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for v in (i, j, k):
            out[v, 0] += nx
            out[v, 1] += ny
            out[v, 2] += nz
    for v in range(out.shape[0]):
        length = math.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2)
        if length > 0.0:
            out[v, 0] /= length
            out[v, 1] /= length
            out[v, 2] /= length
