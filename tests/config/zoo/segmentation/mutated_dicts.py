# Dicts that the file itself changes after it has written them.
base_head = dict(type='FCNHead', in_channels=1024, channels=256)
heads = [dict(base_head, channels=64), dict(**base_head, num_convs=2)]
model = dict(type='EncoderDecoder', decode_head=dict(type='PSPHead', channels=512))
model['decode_head']['channels'] = 128
model['decode_head'].update(num_classes=3)
model['auxiliary_head'] = dict(type='FCNHead', channels=len(heads))
if model['decode_head']['type'] == 'PSPHead':
    model['pool'] = True
