# Built by loops and conditions.
import math

wide = True
stages = []
for index in range(4):
    stages.append(dict(type='Conv', channels=64 * 2**index, stride=1 if index == 0 else 2))
if wide:
    head = dict(type='FCNHead', channels=int(math.sqrt(256)) * 32)
else:
    head = dict(type='FCNHead', channels=256)
model = dict(type='EncoderDecoder', backbone=dict(type='Block', stages=stages), decode_head=head)
depths, widths = [3, 4, 6, 3], (64, 128, 256, 512)
