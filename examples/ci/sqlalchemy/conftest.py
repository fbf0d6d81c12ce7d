import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

# libpq takes what is missing from its variables (PGHOST, PGDATABASE, ...)
engine = create_engine(URL.create("postgresql"))


@pytest.fixture
def session():
    with Session(engine) as session:
        yield session


@pytest.fixture
def no_n_plus_one(request):
    """The test must not repeat statements where one would do; what may be is named
    by the marker allow_n_plus_one.  Asks by a connection of its own, so it does not
    matter in what state the test leaves its session."""
    allow = [p for m in request.node.iter_markers("allow_n_plus_one") for p in m.args]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        mark = connection.scalar(text("SELECT vitals.mark()"))
        yield
        connection.execute(text("SELECT vitals.assert_no_n_plus_one(:mark, :allow)"),
                           {"mark": mark, "allow": allow})


def pytest_configure(config):
    config.addinivalue_line("markers", "allow_n_plus_one(pattern, ...): what may be repeated")
