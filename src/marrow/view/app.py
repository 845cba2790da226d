"""The viewer itself: a web page on 127.0.0.1 with a timeline, made with viser."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from marrow.errors import InputError
from marrow.view.drawing import HOST, SKIN_OPACITY, Drawing, quiet_server, stop_quietly
from marrow.view.pictures import Pictures
from marrow.view.scene import Scene

SPEEDS = {"¼": 0.25, "½": 0.5, "1": 1.0, "2": 2.0}


class Viewer:
    """A running viewer. ``url`` is its address; ``stop`` ends it."""

    def __init__(self, scene: Scene, port: int) -> None:
        if not 0 < port < 65536:
            raise InputError(f"port: expected a number from 1 to 65535, got {port}")
        self.scene = scene
        self._server = quiet_server(port, scene.title)
        self.url = f"http://{HOST}:{self._server.get_port()}"
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._server.gui.configure_theme(
            show_share_button=False, show_logo=False, control_layout="floating", brand_color=(0, 110, 160)
        )
        self._drawing = Drawing(scene, self._server)
        self._add_timeline()
        self._add_switches()
        self._player = threading.Thread(target=self._play, name="marrow-view", daemon=True)
        self._player.start()

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def frame(self) -> int:
        """The frame in view."""
        return self._drawing.frame

    def seek(self, frame: int) -> None:
        """Show a frame, as the slider would."""
        self._slider.value = int(np.clip(frame, 0, len(self.scene.time) - 1))

    def stop(self) -> None:
        """Close the page's server."""
        self._stopped.set()
        self._player.join(timeout=2)
        if isinstance(self.scene.pictures, Pictures):
            self.scene.pictures.stop()
        stop_quietly(self._server)

    def wait(self) -> None:
        """Serve until Ctrl-C."""
        try:
            while not self._stopped.wait(0.5):
                pass
        except KeyboardInterrupt:
            pass
        finally:
            self.stop()

    def _add_timeline(self) -> None:
        gui, last = self._server.gui, len(self.scene.time) - 1
        with gui.add_folder("Timeline"):
            self._button = gui.add_button("Play", icon=_icon("PLAYER_PLAY"), disabled=last == 0)
            self._slider = gui.add_slider("Frame", min=0, max=max(last, 1), step=1, initial_value=0, disabled=last == 0)
            self._seconds = gui.add_text("Time", _clock(self.scene, 0), disabled=True)
            self._speed = gui.add_dropdown("Speed", tuple(SPEEDS), initial_value="1")
        self.playing = False

        @self._slider.on_update
        def _(_: Any) -> None:
            self._show(min(int(self._slider.value), last))

        @self._button.on_click
        def _(_: Any) -> None:
            self._set_playing(not self.playing)

    def _add_switches(self) -> None:
        gui, drawing = self._server.gui, self._drawing
        with gui.add_folder("Show"):
            opacity = gui.add_slider("Skin", min=0.0, max=1.0, step=0.05, initial_value=SKIN_OPACITY)
            bones = gui.add_checkbox("Skeleton", True)
            people = [gui.add_checkbox(person.name, True) for person in self.scene.people]
            floor = gui.add_checkbox("Floor", True, visible=drawing.floor is not None)
            camera = gui.add_checkbox("Camera", True, visible=drawing.frustum is not None)
            through = gui.add_button("Look through the camera", visible=drawing.frustum is not None)

        @opacity.on_update
        def _(_: Any) -> None:
            with self._lock:
                drawing.set_opacity(float(opacity.value))

        def update(_: Any) -> None:
            with self._lock:
                drawing.show_bones = bones.value
                drawing.shown = [box.value for box in people]
                if drawing.floor is not None:
                    drawing.floor.visible = floor.value
                if drawing.frustum is not None:
                    drawing.frustum.visible = camera.value
                drawing.show_frame(drawing.frame)

        for box in (bones, floor, camera, *people):
            box.on_update(update)

        @through.on_click
        def _(event: Any) -> None:
            camera.value = False  # its picture would hide what is behind it
            _look_through(self.scene, event.client)

    def _set_playing(self, playing: bool) -> None:
        if playing and self.frame >= len(self.scene.time) - 1:
            self.seek(0)
        self.playing = playing
        self._button.label = "Pause" if playing else "Play"
        self._button.icon = _icon("PLAYER_PAUSE" if playing else "PLAYER_PLAY")

    def _show(self, frame: int) -> None:
        with self._lock:
            self._drawing.show_frame(frame)
            self._seconds.value = _clock(self.scene, frame)

    def _play(self) -> None:
        """Keep pace with the clock while playing; frames that come too late are left out. Starts again at the end."""
        seconds = np.asarray(self.scene.time, float) - self.scene.time[0]
        last = time.monotonic()
        position, shown = 0.0, 0
        while not self._stopped.wait(0.015):
            now = time.monotonic()
            passed, last = now - last, now
            if not self.playing or not self._server.get_clients():
                position, shown = float(seconds[self.frame]), self.frame
                if self._drawing.waits_for_picture:
                    with self._lock:
                        self._drawing.show_picture()
                continue
            if self.frame != shown:  # somebody moved the slider
                position = float(seconds[self.frame])
            position += passed * SPEEDS[self._speed.value]
            if position > seconds[-1]:
                position = 0.0
            shown = int(np.searchsorted(seconds, position, side="right")) - 1
            if shown != self.frame:
                self.seek(shown)


def open_viewer(scene: Scene, *, port: int = 8080) -> Viewer:
    """Start the viewer and return at once.

    The page is served on 127.0.0.1 only. If ``port`` is taken, the next free one is used: see ``Viewer.url``.

    Raises:
        InputError: an impossible port.
    """
    return Viewer(scene, port)


def show(what: Any, *, port: int = 8080, block: bool = True) -> Viewer:
    """Show a captured folder, a :class:`marrow.Capture` or a :class:`Scene` in the browser; Ctrl-C ends it.

    Args:
        what: the folder that ``marrow capture`` wrote, or an object with the same content.
        port: where the page is served; the next free one if it is taken.
        block: False returns the running viewer at once.

    Raises:
        InputError: the folder is missing or holds no result.
    """
    if isinstance(what, Scene):
        scene = what
    else:
        from marrow.view.loading import scene_of

        scene = scene_of(Path(what) if isinstance(what, (str, Path)) else what)
    viewer = open_viewer(scene, port=port)
    print(f"Open {viewer.url} in a browser. Only this computer can reach it. Ctrl-C ends it.", flush=True)
    if block:
        viewer.wait()
    return viewer


def _clock(scene: Scene, frame: int) -> str:
    return f"{float(scene.time[frame]):.3f} s"


def _icon(name: str) -> Any:
    import viser

    return getattr(viser.Icon, name)


def _look_through(scene: Scene, client: Any) -> None:
    """Put a client's view where the filming camera stood."""
    if client is None or scene.camera is None:
        return
    camera = scene.camera
    R_world_cam = camera.R_cam_world.T
    position = -R_world_cam @ camera.t_cam_world
    with client.atomic():
        client.camera.fov = float(2 * np.arctan(camera.size[1] / 2 / camera.K[1, 1]))
        client.camera.up_direction = tuple(-R_world_cam[:, 1])
        client.camera.position = tuple(position)
        client.camera.look_at = tuple(position + 3 * R_world_cam[:, 2])
