# Keys that are no names, and values of many kinds.
model = {'type': 'ImageClassifier', 'backbone': {'type': 'ResNet', 'depth': 18},
         'heads': {'cls-1': {'type': 'LinearClsHead', 'n': 3}, 2: dict(type='Unknown')}}
numbers = dict(inf=float('inf'), none=None, tuple_=(1, ), nested=((1, 2), [3, (4, )]), text='it\'s "so"\n')
train_cfg = {'by_epoch': True, 'max_epochs': 3}
empty = dict(list_=[], dict_={}, tuple_=())
mapping = {**dict(a=1), 'b': {'type': 'Conv', **dict(k=3)}}
été = 'ü'
optim_wrapper = dict(optimizer={'type': 'SGD', 'lr': 0.1})
