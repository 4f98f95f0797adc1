"""All data sets by name. A new data set is a module here and its entry in `DATA_SETS`."""

from collections.abc import Mapping

from roco.data.declaration import DataSet
from roco.data.sets import cifar, digits, fashion_mnist, image_folder, npz, svhn

DATA_SETS: Mapping[str, DataSet] = {
    data_set.name: data_set
    for data_set in (
        digits.DATA_SET,
        cifar.CIFAR10,
        cifar.CIFAR100,
        svhn.DATA_SET,
        fashion_mnist.DATA_SET,
        npz.DATA_SET,
        image_folder.DATA_SET,
    )
}
