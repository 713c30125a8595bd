def advise() -> None: pass
