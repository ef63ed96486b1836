"""The small helpers around torch."""

import hashlib
import multiprocessing
import os
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mainspring.device import multi_processing
from mainspring.utils import dl_utils
from mainspring.utils.dl_utils import parrots_wrapper


def test_parrots_wrapper_has_mmengines_names():
    assert parrots_wrapper._BatchNorm is nn.modules.batchnorm._BatchNorm
    assert issubclass(nn.ConvTranspose2d, parrots_wrapper._ConvTransposeMixin)
    for name in ("_InstanceNorm", "SyncBatchNorm", "_ConvNd", "_MaxPoolNd", "PoolDataLoader"):
        assert isinstance(getattr(parrots_wrapper, name), type)
    assert parrots_wrapper.get_build_config() == torch.__config__.show()
    assert torch.__version__ == dl_utils.TORCH_VERSION
    with pytest.raises(AttributeError, match="nonsense"):
        _ = parrots_wrapper.nonsense


def test_norms():
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Sequential(nn.BatchNorm2d(1)))
    assert dl_utils.has_batch_norm(model)
    assert not dl_utils.has_batch_norm(model[0])
    for layer in (nn.BatchNorm1d(1), nn.InstanceNorm2d(1), nn.GroupNorm(1, 1), nn.LayerNorm(1)):
        assert dl_utils.is_norm(layer)
        assert not dl_utils.is_norm(layer, exclude=(type(layer), nn.Linear))
    assert not dl_utils.is_norm(model)
    with pytest.raises(TypeError, match="exclude"):
        dl_utils.is_norm(model, exclude="BN")


def test_tensor2imgs_undoes_the_normalisation():
    images = torch.arange(24.0).view(2, 3, 2, 2)
    mean, std = (1.0, 2.0, 3.0), (2.0, 4.0, 8.0)
    shift = torch.tensor(mean).view(3, 1, 1)
    scale = torch.tensor(std).view(3, 1, 1)
    restored = dl_utils.tensor2imgs((images - shift) / scale, mean, std, to_bgr=False)
    assert len(restored) == 2
    assert torch.equal(torch.from_numpy(restored[1]).permute(2, 0, 1), images[1])
    assert (dl_utils.tensor2imgs(images)[0][..., 0] == images[0, 2].numpy()).all()
    assert dl_utils.tensor2imgs(images[:, :1], to_bgr=False)[0].shape == (2, 2, 1)
    for wrong in ({"tensor": images[0]}, {"tensor": images[:, :2]}, {"tensor": images[:, :1]}):
        with pytest.raises(AssertionError):
            dl_utils.tensor2imgs(**wrong)
    with pytest.raises(ValueError, match="3 values"):
        dl_utils.tensor2imgs(images, mean=(0.0,))


def test_meshgrid_and_tracing():
    rows, columns = dl_utils.torch_meshgrid(torch.arange(2), torch.arange(3))
    assert rows.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert columns.tolist() == [[0, 1, 2], [0, 1, 2]]
    assert dl_utils.is_jit_tracing() is False


def test_collect_env_without_importing_what_it_reports():
    env = dl_utils.collect_env()
    assert env["sys.platform"] == sys.platform
    assert env["PyTorch"] == torch.__version__
    assert env["CUDA available"] == torch.cuda.is_available()
    assert isinstance(env["numpy_random_seed"], int)
    assert next(reversed(env)) == "mainspring"
    assert {"Python", "GCC", "PyTorch compiling details"} <= set(env)


def test_collect_env_names_mmengine_where_it_is_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "mmengine", raising=False)
    assert "MMEngine" not in dl_utils.collect_env()
    monkeypatch.setitem(sys.modules, "mmengine", SimpleNamespace(__version__="0.10.7"))
    assert dl_utils.collect_env()["MMEngine"] == "0.10.7"


def test_load_url_uses_the_cache_and_runs_no_code(tmp_path):
    source = tmp_path / "weights.pth"
    torch.save({"a": torch.ones(2)}, source)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:8]
    named = source.rename(tmp_path / f"weights-{digest}.pth")
    cache = tmp_path / "cache"
    url = named.as_uri()
    loaded = dl_utils.load_url(url, str(cache), map_location="cpu", progress=False, check_hash=True)
    assert loaded["a"].tolist() == [1, 1]
    named.unlink()
    assert dl_utils.load_url(url, str(cache), progress=False)["a"].tolist() == [1, 1]


def test_a_download_that_does_not_match_its_name_is_refused(tmp_path):
    source = tmp_path / "weights-00000000.pth"
    torch.save({}, source)
    with pytest.raises(RuntimeError, match="hash"):
        dl_utils.download_url(source.as_uri(), tmp_path / "cache", progress=False, check_hash=True)


class TestMultiProcessing:
    @pytest.fixture(autouse=True)
    def _restore(self, monkeypatch):
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
            monkeypatch.setenv(name, "to be put back")
            monkeypatch.delenv(name)
        method = multiprocessing.get_start_method(allow_none=True)
        yield
        multiprocessing.set_start_method(method, force=True)

    def test_another_start_method_warns(self):
        multiprocessing.set_start_method("spawn", force=True)
        with pytest.warns(UserWarning, match=r"'spawn'.*'fork'"):
            dl_utils.set_multi_processing()
        assert multiprocessing.get_start_method() == "fork"
        assert "OMP_NUM_THREADS" not in os.environ

    def test_one_thread_for_each_of_several_processes(self):
        multiprocessing.set_start_method("fork", force=True)
        with pytest.warns(UserWarning, match="OMP_NUM_THREADS"):
            dl_utils.set_multi_processing(distributed=True)
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"

    def test_threads_that_the_user_chose_stay(self, monkeypatch):
        multiprocessing.set_start_method("fork", force=True)
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        dl_utils.set_multi_processing(distributed=True)
        assert os.environ["OMP_NUM_THREADS"] == "3"

    def test_opencv_is_not_imported_for_it(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "cv2", None)
        monkeypatch.delitem(sys.modules, "cv2")
        multi_processing._set_opencv_threads(0)
        assert os.environ["OPENCV_FOR_THREADS_NUM"] == "1"
        assert "cv2" not in sys.modules


class TestTimeCounter:
    @pytest.fixture(autouse=True)
    def _forget(self):
        dl_utils.TimeCounter.instance_dict.clear()

    def test_decorator(self, capsys):
        @dl_utils.TimeCounter(log_interval=2, warmup_interval=2)
        def work():
            return 5

        assert [work() for _ in range(4)] == [5] * 4
        lines = capsys.readouterr().out.splitlines()
        assert [line.split(" runs")[0] for line in lines] == [
            "[work]-time per run averaged in the past 2",
            "[work]-time per run averaged in the past 4",
        ]

    def test_a_tag_names_one_counter(self, capsys):
        for _ in range(2):
            with dl_utils.TimeCounter(tag="block", log_interval=2):
                pass
        assert "[block]-time per run averaged in the past 2 runs" in capsys.readouterr().out

    def test_misuse(self):
        with pytest.raises(AssertionError, match="tag"), dl_utils.TimeCounter():
            pass
        with pytest.raises(AssertionError, match="warmup"):
            dl_utils.TimeCounter(warmup_interval=0)
