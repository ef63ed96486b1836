from zoo import ResNet, RetinaNet

model = RetinaNet(backbone=ResNet(depth=18), num_classes=80)
