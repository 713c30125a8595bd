"""Layer normalisation on JAX, on a CPU, with its gradient written out.

Keras' backend has JAX differentiate the mean and the variance, one after the other, each over all
numbers. Written out, the gradient takes two sums over what was normalised (the layer: Ba, Kiros and
Hinton, "Layer normalization", 2016). It rounds otherwise, nothing else differs. Other axes than the
last, layers without scale or centre, and half precision go Keras' way.
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


@contextlib.contextmanager
def in_few_operations() -> Iterator[None]:
    """Layers that are traced meanwhile are normalised as told above."""
    from keras.src.ops import nn

    plain: Any = getattr(nn, "_layer_normalization", None)
    if plain is None or jax.default_backend() != "cpu":
        # Keras' own affair, which another version may do otherwise.
        yield
        return
    nn._layer_normalization = functools.partial(_layer_normalization, plain)
    try:
        yield
    finally:
        nn._layer_normalization = plain


def _layer_normalization(
    plain: Any, x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, **form: Any
) -> Any:
    """As `keras.src.ops.nn._layer_normalization`."""
    last = axis in (-1, x.ndim - 1, [-1], [x.ndim - 1])
    known = form.get("epsilon") is not None and not form.get("rms_scaling")
    if not last or not known or gamma is None or beta is None:
        return plain(x, gamma, beta, axis, **form)
    x, gamma, beta = (jnp.asarray(getattr(one, "value", one)) for one in (x, gamma, beta))
    if x.dtype not in (jnp.float32, jnp.float64) or gamma.dtype != x.dtype:
        return plain(x, gamma, beta, axis, **form)
    return _normalised(x, gamma, beta, form["epsilon"])


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _normalised(x: jax.Array, gamma: jax.Array, beta: jax.Array, epsilon: float) -> jax.Array:
    """`x` with mean 0 and variance 1 over the last axis, times `gamma`, plus `beta`.

    These have the shape of that axis.
    """
    return _forward(x, gamma, beta, epsilon)[0]


def _forward(x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    centred = x - _mean(x)
    inverse = lax.rsqrt(_mean(centred**2) + epsilon)
    normal = centred * inverse
    return normal * gamma + beta, (normal, inverse, gamma)


def _backward(_: float, saved: Any, gradient: Any) -> Any:
    normal, inverse, gamma = saved
    places = tuple(range(gradient.ndim - 1))
    of_normal = gradient * gamma
    of_x = inverse * (of_normal - _mean(of_normal) - normal * _mean(of_normal * normal))
    return of_x, (gradient * normal).sum(places), gradient.sum(places)


def _mean(x: Any) -> Any:
    return x.mean(-1, keepdims=True)


_normalised.defvjp(_forward, _backward)
