"""Courses: sessions of one subject code over weeks. Pure planning and fitting; database, page and calendar beside."""
