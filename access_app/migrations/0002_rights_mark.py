"""The mark that changes with every right (`access_app.models.RightsMark`), and the triggers that change it."""

from django.conf import settings
from django.db import migrations, models

# Deferred to the end of the transaction: the row is locked for its last moment only, so two long
# transactions neither wait for each other there, nor lock each other out. Whoever commits second
# waits for the first one, and each commit brings another mark: a reader misses none, however late it comes.
# Once in a transaction is enough, and a thousand rows cost no more than one.
FUNCTION = """
CREATE FUNCTION rights_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF current_setting('relay.rights_changed', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
        INSERT INTO rights_mark (id, mark) VALUES (1, gen_random_uuid())
            ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
        PERFORM set_config('relay.rights_changed', pg_current_xact_id()::text, true);
    END IF;
    RETURN NULL;
END $$
"""

# Of each table the column whose change says nothing of rights: the last use, the last login. All others
# count, those of later migrations too. They are not named one by one: PostgreSQL refuses to change the
# type of a column that a trigger names, and auth_user is Django's to migrate.
WATCHED = {
    "tokens": "last_used_at",
    "auth_user": "last_login",
    "auth_user_user_permissions": None,
    "auth_user_groups": None,
    "auth_group_permissions": None,
}

ROW = (
    "CREATE CONSTRAINT TRIGGER {name} AFTER {event} ON {table} DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW {condition} EXECUTE FUNCTION rights_changed()"
)
WHOLE = "CREATE TRIGGER rights_truncated AFTER TRUNCATE ON {table} EXECUTE FUNCTION rights_changed()"


def statements():
    yield FUNCTION
    for table, free in WATCHED.items():
        # A new token or user has no right that anybody could remember.
        event = "DELETE" if free else "INSERT OR UPDATE OR DELETE"
        yield ROW.format(name="rights_changed", event=event, table=table, condition="")
        if free:
            differs = f"WHEN (to_jsonb(OLD) - '{free}' IS DISTINCT FROM to_jsonb(NEW) - '{free}')"
            yield ROW.format(name="rights_updated", event="UPDATE", table=table, condition=differs)
        yield WHOLE.format(table=table)


def watch(apps, schema_editor):
    for statement in statements():
        schema_editor.execute(statement)


def unwatch(apps, schema_editor):
    schema_editor.execute("DROP FUNCTION rights_changed() CASCADE")


class Migration(migrations.Migration):
    dependencies = [
        ("access_app", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="RightsMark",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("mark", models.UUIDField()),
            ],
            options={"db_table": "rights_mark"},
        ),
        migrations.RunPython(watch, unwatch),
    ]
