"""Without bounds on the queue: whatever comes waits, for as long as it takes."""

from app.batcher import Batcher

Batcher.check_room = lambda self, images=1: None
Batcher._is_wanted = lambda self, request, late: not request.answered.cancelled()
