"""The actor kernel: actors without tasks over one Kubernetes API. It knows no kind but Kubernetes' own.

The way of an event: `client.watch` -> `watch.step` -> `store.put` -> `informer` -> `router` -> `registry.post` ->
`mailbox` -> `scheduler.turn` -> a room's `mind.receive` -> `orders` -> `perform` -> `client.patch`. `lives` says how
actors are born, end, crash and come back; `supervisor` holds the few things that are tasks; `system` is the whole.
A first controller of your own: `examples/custom-controller/controller.py`.

What is guaranteed, in short (docs/runtime.md has it all, each sentence with its test):

- An actor reads one message at a time; the first of every life is `Started`, then what the cache has, its own object
  first. `now` is the wall clock; a wake-up never comes before its time.
- Messages of one sender arrive in the order of sending, apart for urgent and ordinary ones. The newest state of an
  object replaces the older one that waits; another uid never does, it is preceded by `Gone`.
- The cache is at least as new as any message about it. No actor is born before all caches were filled once.
- Commands about one object are performed one by one in the order of asking. A command may be performed twice (its
  outcome may be unknown: Unavailable), and its result comes back to the very life that asked, or to nobody.
- All commands of one `receive` are taken, or, when it raises, none. After `Stop`, what was asked before is still done;
  after a crash, or the end of a parent, what was not begun is not.
- Children end before their parent, the youngest first. A child's crash is told to its parent; an object's own actor is
  rebuilt from the cache, and quarantined when it crashes too often. Nobody else notices.
"""
