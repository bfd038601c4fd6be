"""How often somebody may: windows over the time just past, and the rules that say which apply."""
