"""The planned sessions of a course as an iCalendar file: a subject code, no name."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

from ionto_host.course.store import Course
from ionto_host.notice import NOTICE


def write(course: Course, days: list[date], done: int, now: datetime | None = None) -> bytes:
    """Return the calendar with an all-day event for each of `days`, numbered after the `done` sessions."""
    from icalendar import Calendar, Event  # 0.1 s, which every command would take

    calendar = Calendar()
    calendar.add("prodid", "-//IontoPico//course//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    stamp = now or datetime.now(timezone.utc)
    for number, day in enumerate(days, done + 1):
        event = Event()
        event.add("uid", f"{course.subject}-{course.number}-{number}@iontopico")
        event.add("dtstamp", stamp)
        event.add("dtstart", day)
        event.add("dtend", day + timedelta(days=1))
        event.add("summary", f"IontoPico session {number} of {course.plan.sessions}, {course.id}")
        event.add("location", course.site)
        event.add("description", f"{course.preset}. Not closer than {course.plan.min_interval_h} h. {NOTICE}")
        event.add("transp", "TRANSPARENT")
        calendar.add_component(event)
    return calendar.to_ical()
