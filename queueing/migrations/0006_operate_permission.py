from django.db import migrations


def rename(apps, schema_editor):
    """The permission covers more than replays now. One that exists keeps its name unless it is told."""
    apps.get_model("auth", "Permission").objects.filter(content_type__app_label="queueing", codename="operate").update(
        name="Can operate the queue"
    )


class Migration(migrations.Migration):

    dependencies = [
        ("queueing", "0005_ordered_mode"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="queue",
            options={
                "default_permissions": (),
                "managed": False,
                "permissions": [("operate", "Can operate the queue")],
                "verbose_name": "queue",
                "verbose_name_plural": "queue",
            },
        ),
        migrations.RunPython(rename, migrations.RunPython.noop, elidable=True),
    ]
