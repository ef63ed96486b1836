# Types by their paths, of which one is not there.
custom_imports = dict(imports=['zoo_models'], allow_failed_imports=False)
model = dict(
    type='zoo_models.Wrapper',
    inner=dict(type='torch.nn.Sequential'),
    scale=2)
head = dict(type='zoo_models:Tools.Inner', act=dict(type='torch.nn.ReLU', inplace=True))
other = dict(type='nowhere.Model', depth=3)
scoped = dict(type='mmpretrain.ConvNeXt', arch='tiny')
optim_wrapper = dict(
    constructor='LayerDecayConstructor',
    optimizer=dict(type='torch.optim.AdamW', lr=1e-3),
    paramwise_cfg=dict(num_layers=12))
custom_hooks = [
    dict(type='IntervalHook', interval=3),
    dict(type='IntervalHook', interval=3, priority='LOW'),
    dict(type='EMAHook', momentum=0.1, priority=49)]
