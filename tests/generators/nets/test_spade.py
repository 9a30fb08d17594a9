"""SPADE blocks and spectral normalisation."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")

from speechhead.generators.nets.spade import Spade, SpadeBlock, SpadeDecoder, SpectralConv2d, SpectralConv3d  # noqa: E402


@pytest.mark.parametrize("conv", [SpectralConv2d(3, 5, 3), SpectralConv3d(2, 4, 3)])
def test_keys_are_those_of_published_checkpoints(conv) -> None:
    assert set(conv.state_dict()) == {"bias", "weight_orig", "weight_u", "weight_v"}
    assert conv.weight_u.shape == (conv.weight_orig.shape[0],)
    assert conv.weight_v.numel() == conv.weight_orig[0].numel()


def test_eval_uses_stored_vectors_and_training_finds_the_norm() -> None:
    torch.manual_seed(0)
    conv = SpectralConv2d(3, 5, 3)
    matrix = conv.weight_orig.detach().flatten(1)
    before = conv.weight_u.clone()
    conv.eval()
    sigma = conv.weight_u @ matrix @ conv.weight_v
    assert torch.allclose(conv.normalised_weight(), conv.weight_orig / sigma)
    assert torch.equal(conv.weight_u, before)
    conv.train()
    for _ in range(200):
        weight = conv.normalised_weight()
    assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-4)


def test_gradient_after_two_passes_and_deep_copy() -> None:
    conv = SpectralConv2d(2, 3, 3)
    x = torch.randn(1, 2, 6, 6)
    (conv(x).sum() + conv(x).sum()).backward()
    assert conv.weight_orig.grad.abs().sum() > 0
    assert torch.equal(copy.deepcopy(conv.eval())(x), conv(x))


def test_spade_with_silent_segmentation_is_the_bare_norm() -> None:
    norm = Spade(4, 3, hidden=2)
    for layer in (norm.mlp_gamma, norm.mlp_beta):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    out = norm(torch.randn(2, 4, 8, 8) * 3 + 1, torch.randn(2, 3, 4, 4))
    assert torch.allclose(out.mean((2, 3)), torch.zeros(2, 4), atol=1e-5)
    assert torch.allclose(out.std((2, 3), correction=0), torch.ones(2, 4), atol=1e-3)


def test_shortcut_is_learned_only_where_widths_differ() -> None:
    assert not hasattr(SpadeBlock(4, 4, 3), "conv_s")
    assert SpadeBlock(4, 6, 3).conv_s.bias is None


@pytest.mark.parametrize("upscale, side", [(1, 32), (2, 64)])
def test_decoder_enlarges(upscale: int, side: int) -> None:
    decoder = SpadeDecoder(4, 3, hidden=2, middle=1, upscale=upscale).eval()
    picture = decoder(torch.randn(1, 4, 8, 8))
    assert picture.shape == (1, 3, side, side)
    assert picture.min() >= 0 and picture.max() <= 1


def test_decoder_takes_another_segmentation() -> None:
    decoder = SpadeDecoder(4, 3, labels=5, hidden=2, middle=2)
    assert decoder(torch.randn(1, 4, 4, 6), torch.randn(1, 5, 16, 24)).shape == (1, 3, 16, 24)


def test_mixed_precision_keeps_the_norm_exact() -> None:
    conv = SpectralConv2d(3, 5, 3).eval()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(conv.normalised_weight(), conv.normalised_weight().float())
        assert conv(torch.rand(1, 3, 8, 8)).dtype is torch.bfloat16
    assert conv.normalised_weight().dtype is torch.float32
