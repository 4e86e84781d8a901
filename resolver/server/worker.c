/*
 * worker.c: see worker.h.
 *
 * The thread is a reader of the zone table: `begin` takes it online before it touches anything, `before_sleep` takes it
 * offline before libuv waits.
 */
#include "server/worker.h"

#include "base/log.h"
#include "server/clock.h"
#include "server/dispatch.h"
#include "server/doors.h"
#include "server/orders.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TCP_IDLE     = 30000, /* ms; RFC 7766, 6.2.3: seconds, and a mail server asks every few */
    LEAVE_WITHIN = 5000,  /* ms for a worker that leaves others behind: longer than the default deadline */
    END_WITHIN   = 1000,  /* ms for clients that wait when the process ends: it is wanted back soon */
    PULSE_EVERY  = 1000,  /* ms between turns of an idle loop, for the watchdog */
    TCP_MESSAGE  = 10000, /* ms for a message that has begun: one segment, and three losses of it in a row take 7 s */
};

struct worker {
    pthread_t           thread;
    uv_loop_t           loop;
    uv_async_t          wake;
    uv_timer_t          timer;
    uv_prepare_t        before_sleep;
    struct engine      *engine;
    struct dispatch     dispatch;
    struct tcp_listen  *tcp;
    struct doors        doors;
    struct ring        *ring;
    struct ring        *traces; /* of pointers */
    struct client_rate *client_rate;
    uv_async_t         *keeper;
    msec_t              now;
    msec_t              timer_due;
    bool                online, catching_up;
    bool                ends;    /* WORKER_ENDS */
    msec_t              stop_at; /* at the latest; MSEC_NEVER: it was not told to */
    _Atomic int64_t     pulse;
    _Atomic uint64_t    kernel_drops;
    atomic_bool         ended;

    struct orders orders;
};

/* ---- before anything else in each turn ---- */

static void begin_worker(struct worker *worker)
{
    worker->now = clock_now();
    if (!worker->online)
        table_reader_resume();
    worker->online = true;
}

static void begin(void *context) { begin_worker(context); }

static void begin_dispatch(void *context) { begin_worker(((struct dispatch *) context)->context); }

/* ---- queries ---- */

static size_t on_udp(void *context, struct view datagram, const struct path *path, uint8_t *out, size_t cap)
{
    struct worker *worker = context;
    return engine_receive(worker->engine, datagram, path, false, worker->now, out, cap);
}

static size_t on_tcp(void *context, struct view message, const struct path *path, uint8_t *out, size_t cap)
{
    struct worker *worker = context;
    return engine_receive(worker->engine, message, path, true, worker->now, out, cap);
}

static void answer(void *context, const struct path *path, struct view answer)
{
    struct worker *worker = context;
    if (path->connection)
        tcp_listen_send(worker->tcp, path, answer);
    else if (answer.len > 0)
        udp_listen_send(path->endpoint, path, answer);
}

static void observe(void *context, const struct observation *observation)
{
    struct worker *worker = context;
    if (!ring_push(worker->ring, observation))
        COUNT(engine_counters(worker->engine)->observations_lost);
    uv_async_send(worker->keeper);
}

/* Each is on the heap, so that the ring is small where nobody watches; what does not find a place is lost. */
static void traced(void *context, const struct traced *traced)
{
    struct worker *worker = context;
    struct traced *copy   = malloc(sizeof(*copy));
    if (copy)
        *copy = *traced;
    if (!copy || !ring_push(worker->traces, &copy)) {
        free(copy);
        COUNT(engine_counters(worker->engine)->traces_lost);
    }
    uv_async_send(worker->keeper);
}

static bool admit(void *context, const struct address *peer)
{
    struct worker *worker = context;
    return engine_admit(worker->engine, peer, worker->now);
}

static bool is_exempt(void *context, const struct address *peer)
{
    return engine_exempt(((struct worker *) context)->engine, peer);
}

static void on_packet(void *context, struct exchange *exchange, enum transport transport, struct view packet)
{
    struct worker *worker = context;
    engine_on_packet(worker->engine, exchange, transport, packet, worker->now);
}

static void on_unreachable(void *context, struct exchange *exchange, enum transport transport)
{
    struct worker *worker = context;
    engine_on_unreachable(worker->engine, exchange, transport, worker->now);
}

/* ---- orders ---- */

void worker_listen(struct worker *worker, const struct address *address, int udp, int tcp)
{
    orders_give(&worker->orders, &(struct order){.kind = ORDER_LISTEN, .address = *address, .udp = udp, .tcp = tcp});
}

void worker_drain(struct worker *worker, int udp, int tcp)
{
    orders_give(&worker->orders, &(struct order){.kind = ORDER_DRAIN, .udp = udp, .tcp = tcp});
}

void worker_leave(struct worker *worker, const struct address *address)
{
    orders_give(&worker->orders, &(struct order){.kind = ORDER_LEAVE, .address = *address});
}

void worker_set_setup(struct worker *worker, struct setup *setup)
{
    orders_give(&worker->orders, &(struct order){.kind = ORDER_SETUP, .setup = setup_take(setup)});
}

static void begin_stop(struct worker *worker, enum worker_end end)
{
    worker->ends    = worker->ends || end != WORKER_LEAVES;
    worker->stop_at = msec_min(worker->stop_at, worker->now + (worker->ends ? END_WITHIN : LEAVE_WITHIN));
    doors_stop(&worker->doors, end, worker->now);
}

/* Nobody is owed an answer any more, or has had the time. What nobody waits for is evidence still, where there is
 * somebody to take it. */
static bool may_end(const struct worker *worker)
{
    size_t owed = worker->ends ? engine_waiting(worker->engine) : engine_flights(worker->engine);
    return (owed == 0 && tcp_listen_read_stats(worker->tcp)->open == 0) || worker->now >= worker->stop_at;
}

static void carry_out(struct worker *worker, struct order *order)
{
    switch (order->kind) {
    case ORDER_LISTEN:
    case ORDER_DRAIN:
        doors_open(&worker->doors, order, worker->now);
        return;
    case ORDER_LEAVE:
        doors_leave(&worker->doors, &order->address, worker->now);
        break;
    case ORDER_SETUP:
        engine_set_setup(worker->engine, order->setup);
        break;
    case ORDER_STOP:
        begin_stop(worker, order->end);
        break;
    }
    order_drop(order);
}

static void on_wake(uv_async_t *wake)
{
    struct worker *worker = wake->data;
    struct order  *order;
    begin_worker(worker);
    while ((order = orders_take(&worker->orders)))
        carry_out(worker, order);
}

/* ---- the loop ---- */

static void on_timer(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    begin_worker(worker);
    bool stalled      = clock_stalled(worker->timer_due, worker->now, &worker->catching_up);
    worker->timer_due = MSEC_NEVER;
    if (!stalled)
        engine_on_time(worker->engine, worker->now);
}

static void copy_tcp_stats(struct worker *worker)
{
    const struct tcp_listen_stats *stats    = tcp_listen_read_stats(worker->tcp);
    struct counters               *counters = engine_counters(worker->engine);
    atomic_store_explicit(&counters->tcp_clients, stats->accepted, memory_order_relaxed);
    atomic_store_explicit(&counters->tcp_idle, stats->idle_closed, memory_order_relaxed);
    atomic_store_explicit(&counters->tcp_evicted, stats->evicted, memory_order_relaxed);
    atomic_store_explicit(&counters->tcp_cut_off, stats->cut_off, memory_order_relaxed);
    atomic_store_explicit(&counters->tcp_refused, stats->refused, memory_order_relaxed);
}

static void look_at_listeners(struct worker *worker)
{
    doors_look(&worker->doors, worker->now);
    atomic_store_explicit(&worker->kernel_drops, doors_drops(&worker->doors), memory_order_relaxed);
    copy_tcp_stats(worker);
}

/* A stranger must not fill the log: a line a minute, whoever it names. */
static void tell_limited(struct worker *worker)
{
    struct address client;
    char           text[ADDRESS_TEXT_MAX];
    if (engine_limited(worker->engine, &client) && client_rate_tell(worker->client_rate, worker->now))
        log_warning("client %s sends more than limits.client_qps: over UDP it is dropped or cut, over TCP it waits",
                    address_format_host(&client, text));
}

static void on_before_sleep(uv_prepare_t *prepare)
{
    struct worker *worker = prepare->data;
    begin_worker(worker);
    if (worker->now - atomic_load_explicit(&worker->pulse, memory_order_relaxed) >= PULSE_EVERY) {
        atomic_store_explicit(&worker->pulse, worker->now, memory_order_relaxed);
        look_at_listeners(worker);
        tell_limited(worker);
    }
    msec_t due = msec_min(msec_min(engine_next(worker->engine), worker->stop_at), worker->now + PULSE_EVERY);
    if (worker->stop_at != MSEC_NEVER && may_end(worker)) {
        uv_stop(&worker->loop);
        due = worker->now;
    }
    if (due < worker->timer_due || worker->timer_due <= worker->now) {
        worker->timer_due = due;
        uv_update_time(&worker->loop);
        uv_timer_start(&worker->timer, on_timer, (uint64_t) msec_max(due - worker->now, 0), 0);
    }
    table_reader_pause();
    worker->online = false;
}

static void close_handle(uv_handle_t *handle, void *argument)
{
    (void) argument;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void wind_up(struct worker *worker)
{
    begin_worker(worker);
    engine_cancel(worker->engine, worker->now);
    look_at_listeners(worker);
    tcp_listen_close(worker->tcp);
    dispatch_close(&worker->dispatch);
    doors_close(&worker->doors);
    orders_close(&worker->orders);
    uv_close((uv_handle_t *) &worker->wake, NULL);
    uv_close((uv_handle_t *) &worker->timer, NULL);
    uv_close((uv_handle_t *) &worker->before_sleep, NULL);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    uv_walk(&worker->loop, close_handle, NULL);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    uv_loop_close(&worker->loop);
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    table_reader_register();
    worker->online = true;
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    wind_up(worker);
    table_reader_unregister();
    atomic_store(&worker->ended, true);
    uv_async_send(worker->keeper);
    return NULL;
}

/* ---- life ---- */

struct traced *worker_traced(struct worker *worker)
{
    struct traced *traced = NULL;
    return ring_pop(worker->traces, &traced) ? traced : NULL;
}

static void destroy_traces(struct worker *worker)
{
    struct traced *traced;
    while (worker->traces && (traced = worker_traced(worker)))
        free(traced);
    ring_destroy(worker->traces);
}

static void init_handles(struct worker *worker)
{
    uv_async_init(&worker->loop, &worker->wake, on_wake);
    uv_timer_init(&worker->loop, &worker->timer);
    uv_prepare_init(&worker->loop, &worker->before_sleep);
    uv_prepare_start(&worker->before_sleep, on_before_sleep);
    worker->wake.data = worker->timer.data = worker->before_sleep.data = worker;
    worker->timer_due                                                  = MSEC_NEVER;
}

/* Memory and descriptors, each of which may be missing: what is there is for worker_start() to give back. */
static bool open_parts(struct worker *worker, const struct worker_options *options)
{
    struct engine_options engine = {
        .shared  = options->shared,
        .reader  = options->number,
        .setup   = options->setup,
        .effects = {&worker->dispatch, dispatch_send, dispatch_release, worker, answer, observe, traced},
    };
    memcpy(engine.seed, options->seed, sizeof(engine.seed));
    const struct tcp_listen_options tcp = {.idle_ms     = TCP_IDLE,
                                           .message_ms  = TCP_MESSAGE,
                                           .connections = options->share.clients,
                                           .per_client  = options->share.per_client,
                                           .memory      = LIMIT_TCP_MEMORY,
                                           .begin       = begin,
                                           .admit       = admit,
                                           .exempt      = is_exempt};
    worker->dispatch                    = (struct dispatch){
                           .now = &worker->now, .context = worker, .on_packet = on_packet, .on_unreachable = on_unreachable};
    worker->ring          = ring_create(sizeof(struct observation), LIMIT_OBSERVATIONS);
    worker->traces        = ring_create(sizeof(struct traced *), WORKER_TRACES);
    worker->engine        = engine_create(&engine);
    worker->tcp           = tcp_listen_create(&worker->loop, &tcp, on_tcp, worker);
    worker->doors.loop    = &worker->loop;
    worker->doors.tcp     = worker->tcp;
    worker->doors.handle  = on_udp;
    worker->doors.begin   = begin;
    worker->doors.context = worker;
    return worker->ring && worker->traces && worker->engine && worker->tcp &&
           dispatch_open(&worker->dispatch, &worker->loop, engine_rng(worker->engine), options->share.sockets,
                         begin_dispatch);
}

struct worker *worker_start(const struct worker_options *options)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return NULL;
    worker->keeper      = options->keeper;
    worker->stop_at     = MSEC_NEVER;
    worker->client_rate = options->shared.client_rate;
    worker->now         = clock_now();
    worker->pulse       = worker->now;
    doors_init(&worker->doors);
    orders_init(&worker->orders, &worker->wake);
    if (uv_loop_init(&worker->loop) != 0)
        goto no_loop;
    init_handles(worker);
    if (open_parts(worker, options) && pthread_create(&worker->thread, NULL, run, worker) == 0)
        return worker;

    if (worker->tcp)
        tcp_listen_close(worker->tcp);
    dispatch_close(&worker->dispatch);
    engine_destroy(worker->engine);
    uv_walk(&worker->loop, close_handle, NULL);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    uv_loop_close(&worker->loop);
no_loop:
    ring_destroy(worker->ring);
    destroy_traces(worker);
    orders_fini(&worker->orders);
    free(worker);
    return NULL;
}

void worker_stop(struct worker *worker, enum worker_end end)
{
    orders_give(&worker->orders, &(struct order){.kind = ORDER_STOP, .end = end});
}

bool worker_has_ended(struct worker *worker) { return atomic_load(&worker->ended); }

uint64_t worker_join(struct worker *worker, struct counters *sum, struct responses *responses)
{
    const struct counters *counters = worker_counters(worker);
    pthread_join(worker->thread, NULL);
#define COUNTER(symbol, help) atomic_fetch_add(&sum->symbol, atomic_load(&counters->symbol));
#include "core/counters.def"
#undef COUNTER
    responses_add(responses, worker_responses(worker));
    engine_destroy(worker->engine);
    ring_destroy(worker->ring);
    destroy_traces(worker);
    orders_fini(&worker->orders);
    uint64_t drops = worker_kernel_drops(worker);
    free(worker);
    return drops;
}

bool worker_observation(struct worker *worker, struct observation *ret) { return ring_pop(worker->ring, ret); }

const struct counters *worker_counters(struct worker *worker) { return engine_counters(worker->engine); }

const struct responses *worker_responses(struct worker *worker) { return engine_responses(worker->engine); }

uint64_t worker_kernel_drops(struct worker *worker)
{
    return atomic_load_explicit(&worker->kernel_drops, memory_order_relaxed);
}

msec_t worker_pulse(struct worker *worker) { return atomic_load_explicit(&worker->pulse, memory_order_relaxed); }
