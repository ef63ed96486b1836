_base_ = "./base_config.py"

optim_wrapper = dict(optimizer=dict(_delete_=True, type="Adam", lr={{_base_.lr}}))
train_cfg = dict(max_epochs=3)
