"""Reading pictures: from a photograph, scan or drawing to the digit in it."""

from lenet1998.reading.pictures import ImageError, read_picture
from lenet1998.reading.predict import Reading, predict, predict_files

__all__ = ["ImageError", "Reading", "predict", "predict_files", "read_picture"]
