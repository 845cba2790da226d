"""People from pixels: where they are, their keypoints and masks, and who is who through a video.

``track(frames)`` gives one :class:`marrow.types.Track` per person; ``BlazePose().detect(image)`` works on one picture.
Any object with the :class:`Detector` protocol can take BlazePose's place.
"""

from marrow.detect.blazepose import Region
from marrow.detect.detection import Detection, Detector, oks
from marrow.detect.people import BlazePose
from marrow.detect.tracking import track

__all__ = ["BlazePose", "Detection", "Detector", "Region", "detect", "oks", "track"]


def detect(image, *, heatmaps: bool = False) -> list[Detection]:
    """People in one picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        heatmaps: also give each detection's (64, 64, 33) heat-maps.

    Raises:
        AssetError: the networks could not be obtained.
    """
    return BlazePose(heatmaps=heatmaps).detect(image)
