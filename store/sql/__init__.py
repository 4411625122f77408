"""Tables and statements: the only place that knows that the truth is kept in SQL.

Records come in and go out; peewee stays.
"""
