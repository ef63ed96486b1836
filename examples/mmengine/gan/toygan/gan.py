"""Two networks with an optimizer each, trained in turn within one `train_step`."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor, BaseModel, BaseModule
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import nn


def mlp(before, width, after):
    return nn.Sequential(
        nn.Linear(before, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2),
        nn.Linear(width, after),
    )  # fmt: skip


@MODELS.register_module()
class GANDataPreprocessor(BaseDataPreprocessor):
    def forward(self, data, training=False):
        data = self.cast_data(data)
        points = [torch.as_tensor(point) for point in data["inputs"]]
        return dict(inputs=torch.stack(points), data_samples=data["data_samples"])


@MODELS.register_module()
class Generator(BaseModule):
    def __init__(self, noise_size, width, init_cfg=dict(type="Xavier", layer="Linear")):
        super().__init__(init_cfg)
        self.noise_size = noise_size
        self.net = mlp(noise_size, width, 2)

    def forward(self, noise):
        return self.net(noise)


@MODELS.register_module()
class Discriminator(BaseModule):
    def __init__(self, width, init_cfg=dict(type="Xavier", layer="Linear")):
        super().__init__(init_cfg)
        self.net = mlp(2, width, 1)

    def forward(self, points):
        return self.net(points)


@MODELS.register_module()
class GAN(BaseModel):
    def __init__(self, generator, discriminator, discriminator_steps=2, data_preprocessor=None):
        super().__init__(data_preprocessor=data_preprocessor)
        self.generator = MODELS.build(generator)
        self.discriminator = MODELS.build(discriminator)
        self.discriminator_steps = discriminator_steps

    def noise(self, count):
        return torch.randn(count, self.generator.noise_size)

    def forward(self, inputs, data_samples=None, mode="tensor"):
        fake = self.generator(self.noise(len(inputs)))
        if mode == "tensor":
            return fake
        return [BaseDataElement(fake=point, real=real) for point, real in zip(fake, inputs)]

    def train_step(self, data, optim_wrapper):
        data = self.data_preprocessor(data, True)
        real = data["inputs"]
        disc_wrapper, gen_wrapper = optim_wrapper["discriminator"], optim_wrapper["generator"]

        with disc_wrapper.optim_context(self.discriminator):
            log_vars = self.train_discriminator(real, disc_wrapper)
        if disc_wrapper._inner_count % self.discriminator_steps == 0:
            self.discriminator.requires_grad_(False)
            with gen_wrapper.optim_context(self.generator):
                log_vars.update(self.train_generator(len(real), gen_wrapper))
            self.discriminator.requires_grad_(True)
        return log_vars

    def train_discriminator(self, real, wrapper):
        with torch.no_grad():
            fake = self.generator(self.noise(len(real)))
        loss_real = F.softplus(-self.discriminator(real)).mean()
        loss_fake = F.softplus(self.discriminator(fake)).mean()
        parsed_losses, log_vars = self.parse_losses(
            dict(loss_disc_real=loss_real, loss_disc_fake=loss_fake)
        )
        wrapper.update_params(parsed_losses)
        log_vars["loss_disc"] = log_vars.pop("loss")
        return log_vars

    def train_generator(self, count, wrapper):
        loss = F.softplus(-self.discriminator(self.generator(self.noise(count)))).mean()
        parsed_losses, log_vars = self.parse_losses(dict(loss_gen=loss))
        log_vars.pop("loss")
        wrapper.update_params(parsed_losses)
        return log_vars
