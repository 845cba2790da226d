"""Compiled forward and backward passes of :mod:`marrow.render.differentiable`."""

from __future__ import annotations

import math

import numpy as np

from marrow._compile import kernel


@kernel()
def cover(xy, seen, faces, facing, covered):
    """Mark the pixels of ``covered`` (H, W) that faces cover; ``facing`` (F,) is 1 front, -1 back, 0 not drawn."""
    height, width = covered.shape
    covered[:] = 0
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        facing[f] = 0
        if not (seen[i] and seen[j] and seen[k]):
            continue
        ax, ay, bx, by, cx, cy = xy[i, 0], xy[i, 1], xy[j, 0], xy[j, 1], xy[k, 0], xy[k, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area == 0.0:
            continue
        facing[f] = 1 if area < 0.0 else -1
        x_first, x_last = max(0, math.ceil(min(ax, bx, cx))), min(width - 1, math.floor(max(ax, bx, cx)))
        if x_first > x_last:
            continue
        y_first, y_last = max(0, math.ceil(min(ay, by, cy))), min(height - 1, math.floor(max(ay, by, cy)))
        s = 1.0 if area > 0.0 else -1.0
        for y in range(y_first, y_last + 1):
            for x in range(x_first, x_last + 1):
                if covered[y, x]:
                    continue
                ea = s * ((cx - bx) * (y - by) - (cy - by) * (x - bx))
                eb = s * ((ax - cx) * (y - cy) - (ay - cy) * (x - cx))
                ec = s * ((bx - ax) * (y - ay) - (by - ay) * (x - ax))
                if ea >= 0.0 and eb >= 0.0 and ec >= 0.0:
                    covered[y, x] = 1


@kernel()
def contour(xy, edges, edge_faces, facing, covered, edge_of, at):
    """The outermost crossing of contour edges with each pair of neighbours of which one is covered.

    ``edge_of`` (2, H, W) int32 is the edge that crosses between pixel (x, y) and its neighbour to the right (0) or
    below (1), -1 for none; ``at`` (2, H, W) is how far from the covered pixel, 0 to 1.
    """
    height, width = covered.shape
    edge_of[:] = -1
    at[:] = -1.0
    for e in range(edges.shape[0]):
        first, second = facing[edge_faces[e, 0]], 0
        if edge_faces[e, 1] >= 0:
            second = facing[edge_faces[e, 1]]
        if first == second:
            continue
        i, j = edges[e, 0], edges[e, 1]
        ax, ay, bx, by = xy[i, 0], xy[i, 1], xy[j, 0], xy[j, 1]
        if abs(by - ay) >= abs(bx - ax):
            if ay > by:
                ax, ay, bx, by = bx, by, ax, ay
            for y in range(max(0, math.ceil(ay)), min(height, math.ceil(by))):
                x = ax + (y - ay) * (bx - ax) / (by - ay)
                if not 0.0 <= x < width - 1:
                    continue
                x0 = int(x)
                if covered[y, x0] != covered[y, x0 + 1]:
                    t = x - x0 if covered[y, x0] else x0 + 1 - x
                    if t > at[0, y, x0]:
                        at[0, y, x0] = t
                        edge_of[0, y, x0] = e
        else:
            if ax > bx:
                ax, ay, bx, by = bx, by, ax, ay
            for x in range(max(0, math.ceil(ax)), min(width, math.ceil(bx))):
                y = ay + (x - ax) * (by - ay) / (bx - ax)
                if not 0.0 <= y < height - 1:
                    continue
                y0 = int(y)
                if covered[y0, x] != covered[y0 + 1, x]:
                    t = y - y0 if covered[y0, x] else y0 + 1 - y
                    if t > at[1, y0, x]:
                        at[1, y0, x] = t
                        edge_of[1, y0, x] = e


@kernel()
def soften(covered, edge_of, at, out):
    """``out`` (H, W): the covered pixels, and those at the contour by how far it reaches into them."""
    height, width = covered.shape
    for y in range(height):
        for x in range(width):
            out[y, x] = covered[y, x]
    for side in range(2):
        for y in range(height):
            for x in range(width):
                if edge_of[side, y, x] < 0:
                    continue
                px, py = _moved(covered, side, y, x, at[side, y, x])
                out[py, px] += np.float32(at[side, y, x] - 0.5)
    for y in range(height):
        for x in range(width):
            out[y, x] = min(max(out[y, x], np.float32(0.0)), np.float32(1.0))


@kernel(inline="always")
def _moved(covered, side, y, x, t):
    """The pixel of a pair whose value a crossing at ``t`` from the covered one changes."""
    here = bool(covered[y, x]) == (t < 0.5)
    if here:
        return x, y
    return (x + 1, y) if side == 0 else (x, y + 1)


@kernel()
def soften_backward(xy, edges, covered, edge_of, at, grad, grad_xy):
    """Add to ``grad_xy`` (V, 2) what ``grad`` (H, W) gives to the ends of the edges that crossed."""
    height, width = covered.shape
    for side in range(2):
        for y in range(height):
            for x in range(width):
                e = edge_of[side, y, x]
                if e < 0:
                    continue
                px, py = _moved(covered, side, y, x, at[side, y, x])
                g = grad[py, px] * (1.0 if covered[y, x] else -1.0)
                if g == 0.0:
                    continue
                i, j = edges[e, 0], edges[e, 1]
                # Along the edge the other coordinate is the free one: p(q) = p_i + (q - q_i) (p_j - p_i) / (q_j - q_i).
                p, q = (0, 1) if side == 0 else (1, 0)
                place = y if side == 0 else x
                run = xy[j, q] - xy[i, q]
                s = (place - xy[i, q]) / run
                slope = (xy[j, p] - xy[i, p]) / run
                grad_xy[i, p] += g * (1.0 - s)
                grad_xy[j, p] += g * s
                grad_xy[i, q] -= g * (1.0 - s) * slope
                grad_xy[j, q] -= g * s * slope


@kernel(inline="always")
def _weights(vertices, i, j, k, rx, ry, rz):
    """Barycentrics over depth of the ray r: r · (b × c), r · (c × a), r · (a × b) (Olano and Greer 1997)."""
    ax, ay, az = float(vertices[i, 0]), float(vertices[i, 1]), float(vertices[i, 2])
    bx, by, bz = float(vertices[j, 0]), float(vertices[j, 1]), float(vertices[j, 2])
    cx, cy, cz = float(vertices[k, 0]), float(vertices[k, 1]), float(vertices[k, 2])
    wa = rx * (by * cz - bz * cy) + ry * (bz * cx - bx * cz) + rz * (bx * cy - by * cx)
    wb = rx * (cy * az - cz * ay) + ry * (cz * ax - cx * az) + rz * (cx * ay - cy * ax)
    wc = rx * (ay * bz - az * by) + ry * (az * bx - ax * bz) + rz * (ax * by - ay * bx)
    return wa, wb, wc


@kernel()
def interpolate(vertices, faces, ids, rays, x0, y0, attribute, background, out):
    """``out`` (H, W, C) from ``attribute`` (V, C) by weights recomputed from ``vertices`` (V, 3)."""
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            f = ids[y, x]
            if f < 0:
                for c in range(attribute.shape[1]):
                    out[y, x, c] = background
                continue
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            px, py = x + x0, y + y0
            rx = rays[0, 0] * px + rays[0, 1] * py + rays[0, 2]
            ry = rays[1, 0] * px + rays[1, 1] * py + rays[1, 2]
            wa, wb, wc = _weights(vertices, i, j, k, rx, ry, 1.0)
            total = wa + wb + wc
            for c in range(attribute.shape[1]):
                out[y, x, c] = (wa * attribute[i, c] + wb * attribute[j, c] + wc * attribute[k, c]) / total


@kernel()
def interpolate_backward(vertices, faces, ids, rays, x0, y0, attribute, grad, grad_vertices, grad_attribute):
    """Add the gradients of :func:`interpolate` to ``grad_vertices`` (V, 3) and ``grad_attribute`` (V, C), float64."""
    channels = attribute.shape[1]
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            f = ids[y, x]
            if f < 0:
                continue
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            px, py = x + x0, y + y0
            rx = rays[0, 0] * px + rays[0, 1] * py + rays[0, 2]
            ry = rays[1, 0] * px + rays[1, 1] * py + rays[1, 2]
            wa, wb, wc = _weights(vertices, i, j, k, rx, ry, 1.0)
            total = wa + wb + wc
            wa, wb, wc = wa / total, wb / total, wc / total
            ga, gb, gc = 0.0, 0.0, 0.0
            for c in range(channels):
                g = float(grad[y, x, c])
                grad_attribute[i, c] += wa * g
                grad_attribute[j, c] += wb * g
                grad_attribute[k, c] += wc * g
                ga += g * attribute[i, c]
                gb += g * attribute[j, c]
                gc += g * attribute[k, c]
            mean = wa * ga + wb * gb + wc * gc
            ga, gb, gc = (ga - mean) / total, (gb - mean) / total, (gc - mean) / total
            _pull(vertices, j, k, rx, ry, ga, grad_vertices)
            _pull(vertices, k, i, rx, ry, gb, grad_vertices)
            _pull(vertices, i, j, rx, ry, gc, grad_vertices)


@kernel(inline="always")
def _pull(vertices, p, q, rx, ry, g, grad):
    """Add the gradient ``g`` of r · (p × q), with r = (rx, ry, 1): q × r to p, and r × p to q."""
    qx, qy, qz = float(vertices[q, 0]), float(vertices[q, 1]), float(vertices[q, 2])
    px, py, pz = float(vertices[p, 0]), float(vertices[p, 1]), float(vertices[p, 2])
    grad[p, 0] += g * (qy - qz * ry)
    grad[p, 1] += g * (qz * rx - qx)
    grad[p, 2] += g * (qx * ry - qy * rx)
    grad[q, 0] += g * (ry * pz - py)
    grad[q, 1] += g * (px - rx * pz)
    grad[q, 2] += g * (rx * py - ry * px)
