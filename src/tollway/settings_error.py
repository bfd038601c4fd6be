"""What a wrong setting raises. Apart from settings.py, which commands without settings do not load."""


class SettingsError(Exception):
    """One clear line that names the setting, never its value."""
