# Templates of all kinds.
work_dir = './work_dirs/{{fileBasenameNoExtension}}'
name = '{{ fileBasename }}'
seed = {{$ZOO_SEED:3}}
user = "{{$ZOO_USER:nobody}}"
url = 'http://{{$ZOO_HOST:localhost}}:{{$ZOO_PORT:8080}}/x'
lr = {{ $ZOO_LR: 1e-3 }} * 2
model = dict(type='TopdownPoseEstimator', name='{{$ZOO_USER:nobody}}', seed=seed)
