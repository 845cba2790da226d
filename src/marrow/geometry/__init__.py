"""Rotations, rigid motions, cameras, triangulation and alignment, in numpy float64 with any leading dimensions.

The modules are :mod:`~marrow.geometry.rotations`, :mod:`~marrow.geometry.rigid`, :mod:`~marrow.geometry.projection`,
:mod:`~marrow.geometry.triangulation` and :mod:`~marrow.geometry.procrustes`. Code that works on torch tensors uses
``roma``, which has the same conventions (quaternions xyzw, rotation vectors in radians).
"""
