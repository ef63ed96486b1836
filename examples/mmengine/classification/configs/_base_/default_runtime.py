default_scope = "toycls"
custom_imports = dict(imports=["toycls"], allow_failed_imports=False)
default_hooks = dict(
    logger=dict(type="LoggerHook", interval=5),
    checkpoint=dict(type="CheckpointHook", interval=1, save_best="auto", max_keep_ckpts=1),
)
visualizer = dict(
    type="mmengine.Visualizer",
    vis_backends=[dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")],
)
env_cfg = dict(mp_cfg=dict(mp_start_method="fork"), dist_cfg=dict(backend="gloo"))
log_level = "INFO"
resume = False
load_from = None
randomness = dict(seed=7, deterministic=False)
