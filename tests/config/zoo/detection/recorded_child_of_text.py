from zoo_models import PAFPN

from mainspring.config import edit

from .retinanet_ghm import *

edit(model).neck = PAFPN(num_outs=3)
