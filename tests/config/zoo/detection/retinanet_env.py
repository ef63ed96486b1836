_base_ = 'retinanet_ghm.py'
data_root = '{{$ZOO_DATA:data/coco/}}'
batch_size = {{$ZOO_BATCH:4}}
ann = '{{$ZOO_DATA:data/coco/}}annotations/instances_train2017.json'
train_dataloader = dict(batch_size=batch_size, dataset=dict(data_root=data_root, ann_file=ann))
load_from = '{{ fileDirname }}/../x.pth'
